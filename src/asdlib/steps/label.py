"""Give a machine's training clips pseudo-labels, by what a frozen model hears in them."""

import logging
from pathlib import Path

from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, writing
from asdlib.examples.pseudo_labels import CLUSTER, NONE
from asdlib.labellers import LABELLERS
from asdlib.workflow.recipe import Recipe, Settings

_log = logging.getLogger(__name__)


def label(embeddings: Path, dataset: str, machine: str, out: Path, settings: Settings) -> None:
    """Write `out`: one row for every training clip in `embeddings`, with its cluster, or -1 if it has attributes.

    Test clips are not read. If `embeddings` could not be made, `out` says so.
    """
    recipe = Recipe("labellers", settings)
    labeller = LABELLERS[recipe.kind](**recipe.arguments)
    with refusable(out):
        table = ClipTable(embeddings)
        clips, vectors = table.load(labeller.representation, "train")
        found = labeller.label(clips, vectors)
        notes = {"embeddings": table.digest, "dataset": dataset, "machine": machine}
        with writing(out, settings, notes, **{CLUSTER: ("int32", (1,))}) as written:
            written.write(clips, **{CLUSTER: found[:, None]})
        _log.info("%d clips: %d have attributes, the others a cluster", len(found), (found == NONE).sum())
