"""The distance to the nearest normal clip, in units of how far normal clips lie apart there.

Dividing distances by a reference clip's own distance to its neighbours is local density normalisation (Wilkinghoff et
al., Keeping the Balance: Anomaly Score Calculation for Domain Generalization, ICASSP 2025). docs/neighbours.md says
what is ours.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdlib.backends.embeddings import names_of
from asdlib.backends.scaling import Vectors, by_rows, smallest

SMALLEST = 1e-12  # added to what scores are divided by
Scores = NDArray[np.float64]


class LocalDistance:
    """The smallest t_d(x) − μ_d over domains d. t_d(x) is the smallest |x − y| / ρ(y) of training clips y of d.

    ρ(y) is the mean distance of y to its `neighbours` nearest training clips, of any domain. μ_d is the mean of t_d of
    the training clips of d, where a clip is not its own neighbour. The largest domain has its own mean; the mean of
    another one is moved towards it, as if `shrinkage` more clips of this domain had it, and a domain of one clip uses
    it alone. Scores are standardised by those of the training clips.

    Attributes after `fit`: `train_score_` (N,), the scores of the training clips; a clip is not its own neighbour.
    """

    def __init__(self, neighbours: int, shrinkage: float):
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def fit(self, vectors: Vectors, domains: Sequence[str | None]) -> Self:
        """Store the training clips; one domain must have two."""
        self._vectors = vectors
        names = names_of(domains)
        self._members = {name: np.flatnonzero(names == name) for name in np.unique(names)}
        count = min(self.neighbours, len(vectors) - 1)
        reach = by_rows(vectors, lambda found: smallest(found, count).mean(1))
        self._reach = reach + SMALLEST  # ρ
        nearest = by_rows(vectors, self._nearest)
        self._usual = self._means(nearest)
        self._scale = Standard().fit(self._joined(nearest))
        self.train_score_ = self._scale(self._joined(nearest))
        return self

    def anomaly_score(self, vectors: Vectors) -> Scores:
        """Return one score per clip, (N,)."""
        return self._scale(self._joined(by_rows(vectors, self._nearest, self._vectors)))

    def _nearest(self, distances: Vectors) -> Vectors:
        """Return t of every domain, (N, domains), from the distances (N, training clips)."""
        relative = distances / self._reach
        return np.stack([relative[:, rows].min(1) for rows in self._members.values()], axis=1)

    def _means(self, nearest: Vectors) -> dict[str, float]:
        """Return μ of every domain, from t of the training clips (N, domains)."""
        members = enumerate(self._members.items())
        own = {name: nearest[rows, number] for number, (name, rows) in members if len(rows) > 1}
        largest = max(own, key=lambda name: len(own[name]))
        general = float(own[largest].mean())
        shrunk = {
            name: (found.sum() + self.shrinkage * general) / (len(found) + self.shrinkage)
            for name, found in own.items()
            if name != largest
        }
        return {name: float(shrunk.get(name, general)) for name in self._members}

    def _joined(self, nearest: Vectors) -> Scores:
        """Return the smallest offset over the domains, from t of each, (N, domains)."""
        return (nearest - np.array([*self._usual.values()])).min(1)


class Standard:
    """Subtracts the mean of the scores that it was fitted to, and divides by their standard deviation."""

    def fit(self, scores: Scores) -> Self:
        """Learn mean and deviation."""
        self._mean, self._deviation = scores.mean(), scores.std() + SMALLEST
        return self

    def __call__(self, scores: Scores) -> Scores:
        """Return standardised scores."""
        return (scores - self._mean) / self._deviation
