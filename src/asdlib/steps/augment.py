"""Make additional clips from recorded and separated ones."""

from pathlib import Path

from asdlib.augmentations import AUGMENTATIONS
from asdlib.data.tables import ClipTable, writing
from asdlib.workflow.recipe import Recipe, Settings


def augment(raw: Path, separated: list[Path], noise: list[Path], out: Path, settings: Settings) -> None:
    """Write `out`: the clips that the augmentation makes, as int16 and of the length of those in `raw`.

    `separated` is empty or contains one table with the same rows as `raw`. `noise` are the tables with clips of kind
    `noise`.
    """
    recorded = ClipTable(raw)
    recipe = Recipe("augmentations", settings)
    augmentation = AUGMENTATIONS[recipe.kind](**recipe.arguments, seed=recipe.seed)
    view = ClipTable(separated[0]) if separated else None
    pool = [ClipTable(path) for path in noise]
    notes = {"audio": [table.digest for table in (recorded, view, *pool) if table]}
    with writing(
        out, {**recorded.recipe, "augmentation": settings}, notes, audio=("int16", recorded.tensors["audio"])
    ) as written:
        for clips, audio in augmentation.augment(recorded, view, pool):
            written.write(clips, audio=audio)
