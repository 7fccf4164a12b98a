"""Make additional clips from recorded and separated ones."""

from itertools import chain, islice
from pathlib import Path

from asdlib.augmentations import AUGMENTATIONS
from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, writing
from asdlib.workflow.recipe import Recipe, Settings


def augment(raw: Path, separated: list[Path], noise: list[Path], out: Path, settings: Settings) -> None:
    """Write `out`: the clips that the augmentation makes, of the length of those in `raw`.

    They are int16, or float32 where the augmentation passes on clips that are. `separated` is empty or contains one
    table with the same rows as `raw`. `noise` are the tables with clips of kind `noise`. If the separator's training
    was refused, `out` says so and has no rows.
    """
    with refusable(out):
        _augment(raw, separated, noise, out, settings)


def _augment(raw: Path, separated: list[Path], noise: list[Path], out: Path, settings: Settings) -> None:
    recorded = ClipTable(raw)
    recipe = Recipe("augmentations", settings)
    augmentation = AUGMENTATIONS[recipe.kind](**recipe.arguments, seed=recipe.seed)
    view = ClipTable(separated[0]) if separated else None
    pool = [ClipTable(path) for path in noise]
    notes = {"audio": [table.digest for table in (recorded, view, *pool) if table]}
    made = augmentation.augment(recorded, view, pool)
    first = list(islice(made, 1))
    kind = str(first[0][1].dtype) if first else "int16"
    header = {**recorded.recipe, "augmentation": settings}
    with writing(out, header, notes, audio=(kind, recorded.tensors["audio"])) as written:
        for clips, audio in chain(first, made):
            written.write(clips, audio=audio)
