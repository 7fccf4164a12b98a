"""Make additional clips from recorded and separated ones."""

from pathlib import Path
from typing import Any

from asdlib.augmentations import AUGMENTATIONS
from asdlib.data.tables import ClipTable, writing
from asdlib.recipe_keys import arguments


def augment(raw: Path, separated: list[Path], out: Path, settings: dict[str, Any]) -> None:
    """Write `out`: the clips that the augmentation makes, int16, in the format of `raw`.

    `separated` holds no or one table, whose rows are those of `raw`.
    """
    recorded = ClipTable(raw)
    augmentation = AUGMENTATIONS[settings["kind"]](**arguments("augmentations", settings), seed=settings["seed"])
    tables = [ClipTable(path) for path in separated]
    recipe = {**recorded.recipe, "augmentation": settings}
    notes = {"audio": [table.digest for table in [recorded, *tables]]}
    with writing(out, recipe, notes, audio=("int16", recorded.tensors["audio"])) as written:
        for clips, audio in augmentation.augment(recorded, *tables):
            written.write(clips, audio=audio)
