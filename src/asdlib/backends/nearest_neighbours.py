"""Mean distance to the nearest normal clips of the source or the target domain, whichever is nearer.

Fu et al., report 3 of DCASE 2025 Task 2, §2.2 (docs/system3.md).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from asdlib.backends.embeddings import Embeddings, names_of
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.runtime.lean_imports import hidden

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

WORKING_MEMORY = 64  # MiB of distances at a time; scikit-learn's own is 1 GiB
SMALLEST = 1e-6  # lower bound of the standard deviations that scores are divided by
ENOUGH = 3  # clips of a domain: the two distances of two clips are equal and have no spread

_log = logging.getLogger(__name__)


class NearestNeighbours:
    """The smallest D_d over domains d, where D_d is the mean distance to the `neighbours` nearest training clips of d.

    If a domain has fewer than `neighbours` clips, all of them are used. With `normalise`, the score is
    (D_d − μ_d) / σ_d of the nearest domain d; with `normalise_before_min` as well, it is the smallest
    (D_d − μ_d) / σ_d. μ_d and σ_d are the mean and the standard deviation of the distances of the training clips of d
    to their own domain, where a clip is not its own neighbour. A domain of fewer than three clips uses μ and σ of all
    training clips. Training clips without a domain form a domain of their own. `metric` is euclidean or cosine.

    Attributes after `fit`: `domains_`; `mean_` and `deviation_`, μ and σ of each; `train_score_`, the scores of the
    training clips, where a clip is not its own neighbour; `left_out_score_`, where it does not belong to μ and σ
    either, nor to the neighbours of the clips that these are computed from.
    """

    def __init__(
        self,
        representation: str,
        neighbours: int = 1,
        metric: str = "euclidean",
        normalise: bool = True,
        normalise_before_min: bool = False,
    ):
        self.representation = representation
        self.neighbours = neighbours
        self.metric = metric
        self.normalise = normalise
        self.normalise_before_min = normalise_before_min

    def fit(self, train: Embeddings) -> Self:
        """Store the training clips of every domain and learn μ and σ of their distances.

        Raises TooFewClipsError if no domain has two clips, and AsdError if a representation is not finite.
        """
        with hidden("pandas"):  # scikit-learn takes a second, and other backends do without it
            from sklearn.neighbors import NearestNeighbors

        self._refuse_bad_arguments()
        vectors = self._vectors(train)
        domains = names_of(train.domains)
        self.refuse(train.domains)
        self.domains_ = np.unique(domains)
        self._members = [
            NearestNeighbors(metric=self.metric).fit(vectors[domains == domain]) for domain in self.domains_
        ]
        distances = self._distances(vectors)  # (N, domains)
        own = [np.flatnonzero(domains == domain) for domain in self.domains_]
        nearest = [self._nearest_others(index) for index in self._members]
        for column, (rows, near) in enumerate(zip(own, nearest, strict=True)):
            distances[rows, column] = near.means()
        samples = [distances[rows, column] for column, rows in enumerate(own)]
        self._warn_of_few(samples)
        self.mean_, self.deviation_ = _usual(samples)
        self.train_score_ = self._join(distances, self.mean_, self.deviation_)
        self.left_out_score_ = self.train_score_.copy()
        for column, (rows, near) in enumerate(zip(own, nearest, strict=True)):
            for place, row in enumerate(rows):
                others = [*samples[:column], near.means_without(place), *samples[column + 1 :]]
                self.left_out_score_[row] = self._join(distances[row, None], *_usual(others, samples))[0]
        return self

    @staticmethod
    def refuse(domains: Sequence[str | None]) -> None:
        """Raise TooFewClipsError if no domain has two training clips."""
        if max(Counter(domains).values()) < 2:
            raise TooFewClipsError("backend nearest_neighbours: no domain has two training clips: add training clips")

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return self._join(self._distances(self._vectors(test)), self.mean_, self.deviation_)

    def _vectors(self, embeddings: Embeddings) -> np.ndarray:
        vectors = embeddings[self.representation].astype(np.float64)
        if not np.isfinite(vectors).all():
            name = self.representation
            raise AsdError(f"backend nearest_neighbours: {name!r} is not finite for every clip: see the training's log")
        return vectors

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the mean distance to the nearest training clips of every domain, (N, domains)."""
        means = [
            _kneighbors(index, vectors, min(self.neighbours, index.n_samples_fit_))[0].mean(1)
            for index in self._members
        ]
        return np.stack(means, axis=1)

    def _nearest_others(self, index: "NearestNeighbors") -> "_NearestOthers":
        """Return the nearest other clips of a domain's training clips, with one to spare."""
        others = index.n_samples_fit_ - 1
        if not others:
            return _NearestOthers(np.empty((1, 0)), np.empty((1, 0), dtype=np.int64), self.neighbours)
        return _NearestOthers(*_kneighbors(index, None, min(self.neighbours + 1, others)), self.neighbours)

    def _warn_of_few(self, samples: list[np.ndarray]) -> None:
        for domain, sample in zip(self.domains_, samples, strict=True):
            if len(sample) < ENOUGH and self.normalise:
                _log.warning("%d training clips of domain %s: normalised with those of all", len(sample), domain)

    def _join(self, distances: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        if not self.normalise:
            return distances.min(1)
        normalised = (distances - mean) / deviation
        if self.normalise_before_min:
            return normalised.min(1)
        return normalised[np.arange(len(distances)), distances.argmin(1)]

    def _refuse_bad_arguments(self) -> None:
        if self.neighbours < 1:
            raise AsdError(f"backend nearest_neighbours: neighbours is {self.neighbours}: use 1 or more")
        if self.metric not in ("euclidean", "cosine"):
            raise AsdError(f"backend nearest_neighbours: metric {self.metric!r}: use euclidean or cosine")
        if self.normalise_before_min and not self.normalise:
            raise AsdError("backend nearest_neighbours: normalise_before_min without normalise: set both, or neither")


class _NearestOthers:
    """The distances (N, ≤ neighbours + 1) of a domain's clips to their nearest others, in order, and the indices."""

    def __init__(self, distances: np.ndarray, indices: np.ndarray, neighbours: int):
        self._distances = distances
        self._indices = indices
        self._neighbours = neighbours

    def means(self) -> np.ndarray:
        """Return the mean distance of each clip to its neighbours, (N,); infinite for a single clip."""
        return _means(self._distances[:, : self._neighbours])

    def means_without(self, clip: int) -> np.ndarray:
        """Return those of the other clips, (N − 1,), as they are without this clip."""
        found = self.means()
        for row in np.flatnonzero((self._indices == clip).any(1)):
            others = self._distances[row, self._indices[row] != clip]
            found[row] = _means(others[None, : self._neighbours])[0]
        return np.delete(found, clip)


def _kneighbors(index: "NearestNeighbors", vectors: np.ndarray | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances (N, count) to the nearest training clips and their indices; None is the clips themselves."""
    from sklearn import config_context

    with config_context(working_memory=WORKING_MEMORY):
        return index.kneighbors(vectors, count)


def _means(distances: np.ndarray) -> np.ndarray:
    return distances.mean(1) if distances.shape[1] else np.full(len(distances), np.inf)


def _usual(samples: list[np.ndarray], instead: list[np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return μ and σ of every domain, from the distances of its clips to it; `instead`, if none of them is finite."""
    everyone = np.concatenate(samples)
    everyone = everyone[np.isfinite(everyone)]
    if not len(everyone):
        return _usual(instead)
    chosen = [sample if len(sample) >= ENOUGH else everyone for sample in samples]
    mean = np.array([sample.mean() for sample in chosen])
    return mean, np.array([max(sample.std(), SMALLEST) for sample in chosen])
