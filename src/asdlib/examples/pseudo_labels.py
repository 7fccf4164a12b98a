"""Pseudo-labels of training clips: the clusters that a labeller has found, and the classes made of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.examples.classes import class_names
from asdlib.examples.clips import Clips

CLUSTER = "cluster"  # the column of a table of pseudo-labels, and of clips
NONE = -1  # the cluster of a clip whose attributes are its label


def with_clusters(clips: Clips, tables: Sequence[Path]) -> Clips:
    """Return clips with a column CLUSTER, by tables of pseudo-labels.

    A clip that is made of a recording has the label of the recording. Raises AsdError for one that has no label.
    """
    found: dict[tuple[str, str, str], int] = {}
    for path in tables:
        table = ClipTable(path)
        own, numbers = table.load(CLUSTER)
        where = (table.notes["dataset"], table.notes["machine"])
        found |= {
            (*where, file): int(n) for file, (n,) in zip(own.column("source_file").to_pylist(), numbers, strict=True)
        }
    keys = list(zip(*(clips.column(name) for name in ("dataset", "machine", "source_file")), strict=True))
    for dataset, machine, file in keys:
        if (dataset, machine, file) not in found:
            raise AsdError(f"{dataset}/{machine}: {file} has no pseudo-label: delete the table of labels and run again")
    return Clips(with_column(clips.table, np.array([found[key] for key in keys])), clips.features)


def with_column(table: pa.Table, clusters: np.ndarray) -> pa.Table:
    """Return the metadata of clips with their clusters."""
    return table.append_column(CLUSTER, pa.array(clusters, pa.int32()))


def labelled_classes(clips: Clips) -> list[str]:
    """Return the class of each clip: section, machine, domain, attributes and, if it has none, cluster and dataset.

    Clips without the column CLUSTER have no clusters.
    """
    names = class_names(clips, section=True)
    if CLUSTER not in clips.table.column_names:
        return names
    found = zip(names, clips.column(CLUSTER), clips.column("dataset"), strict=True)  # numbered in each dataset anew
    return [name if one == NONE else f"{name}, cluster {one} of {dataset}" for name, one, dataset in found]
