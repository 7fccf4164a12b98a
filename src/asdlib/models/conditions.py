"""The operating conditions of clips: their names in training.

The condition of a training clip is its machine, its section, its attributes and its domain. The recordings of a section
without attributes are clustered, and the cluster is the condition. A clip that was made from a recording has the
recording's condition. For a clip that is scored, neither attributes nor domain are given, so its condition is inferred
from its sound: see asdlib.models.condition_rules.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asdlib.examples.clip_statistics import SMALLEST
from asdlib.examples.clips import Clips, Origin, origins
from asdlib.runtime.lean_imports import hidden
from asdlib.workflow.words import RAW


@dataclass(frozen=True)
class Clustering:
    """Clustering of recordings without attributes: k-means on principal components of their statistics."""

    clusters: int
    components: int

    def labels(self, statistics: np.ndarray) -> np.ndarray:
        """Return the cluster of each recording, (N,), from the statistics (N, 2 · bands)."""
        with hidden("pandas"):  # imported here because it takes a second and only trainings need it
            from sklearn.cluster import KMeans

        centre, scale = scaling(statistics)
        reduced = (statistics - centre) / scale
        reduced = (reduced - reduced.mean(0)) @ principal_axes(reduced, self.components)
        return KMeans(min(self.clusters, len(statistics)), n_init=10, random_state=0).fit_predict(reduced)


@dataclass(frozen=True)
class Named:
    """Training clips with the names of their conditions; `clustered` are the (machine, section) without attributes."""

    origins: list[Origin]
    conditions: list[str]
    clustered: set[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        """The names of all conditions, sorted."""
        return sorted(set(self.conditions))

    @property
    def labels(self) -> Tensor:
        """The condition of each clip as an index into `names`, (N,)."""
        indices = {name: index for index, name in enumerate(self.names)}
        return torch.tensor([indices[name] for name in self.conditions])


def name_conditions(clips: Clips, statistics: Tensor, clustering: Clustering) -> Named:
    """Return the conditions of training clips, given their statistics (N, 2 · bands)."""
    found = origins(clips.table)
    attributes = [" ".join(f"{name}={value}" for name, value in sorted(pairs)) for pairs in clips.column("attributes")]
    conditions = [
        f"{origin.machine} | {origin.section} | {known} | {domain or 'no domain'}"
        for origin, known, domain in zip(found, attributes, clips.column("domain"), strict=True)
    ]
    values = statistics.double().numpy()
    clustered = set()
    for part in sorted({origin.part for origin in found}):
        rows = [row for row, origin in enumerate(found) if origin.part == part]
        if any(attributes[row] for row in rows):
            continue
        clustered.add(part)
        recordings = _recordings(found, rows)
        clusters = clustering.labels(values[list(recordings.values())])
        cluster_of = dict(zip(recordings, clusters, strict=True))
        for row in rows:
            conditions[row] = f"{' | '.join(part)} | cluster {cluster_of[found[row].recording]:02d}"
    return Named(found, conditions, clustered)


def scaling(statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the deviation of statistics (N, 2 · bands) over clips."""
    return statistics.mean(0), statistics.std(0).clip(SMALLEST)


def principal_axes(centred: np.ndarray, components: int) -> np.ndarray:
    """Return the directions of largest variance of centred vectors (N, D) as columns, (D, components)."""
    return np.linalg.svd(centred, full_matrices=False)[2][:components].T


def _recordings(found: list[Origin], rows: list[int]) -> dict[str | None, int]:
    """Return {recording: row} of the recordings themselves, or of one clip of each where only made clips are given."""
    first: dict[str | None, int] = {}
    for row in sorted(rows, key=lambda row: found[row].view != RAW):  # recordings first; the order is kept otherwise
        first.setdefault(found[row].recording, row)
    return first
