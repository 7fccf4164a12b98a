"""The scales on which vectors are compared: standardised values, and whitened differences between neighbours."""

from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdlib.runtime.lean_imports import hidden

Vectors = NDArray[np.float64]
SMALLEST = 1e-9  # lower bound of deviations and variances that vectors are divided by
ROWS = 256  # vectors whose distances to all others are in memory at a time


class GroupScale:
    """Standardises the values of each group; a deviation counts as at least `floor` times the median of its group.

    Groups are the second axis: (N, groups, values). Without the bound, a value that hardly varies among the normal
    clips would outweigh all others.
    """

    def __init__(self, floor: float):
        self.floor = floor

    def fit(self, values: Vectors) -> Self:
        """Learn mean and deviation of every value."""
        self._mean = values.mean(0)
        deviation = values.std(0)
        least = self.floor * np.median(deviation, axis=1, keepdims=True) + SMALLEST
        self._deviation = np.maximum(deviation, least)
        return self

    def __call__(self, values: Vectors) -> Vectors:
        """Return standardised values as one vector per clip, (N, groups · values)."""
        return ((values - self._mean) / self._deviation).reshape(len(values), -1)


class ResidualWhitening:
    """A linear map that makes the differences between normal clips and the mean of their neighbours white.

    These differences are what varies among clips in the same state of the machine. Directions in which they are large
    say little about a fault. Their covariance is shrunk towards a multiple of the identity: O. Ledoit and M. Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, Journal of Multivariate Analysis 88, 2004.
    """

    def __init__(self, neighbours: int):
        self.neighbours = neighbours

    def fit(self, vectors: Vectors) -> Self:
        """Learn the map from normal clips, of which there are two or more."""
        with hidden("pandas"):  # scikit-learn takes a second, and other backends do without it
            from sklearn.covariance import ledoit_wolf

        count = min(self.neighbours, len(vectors) - 1)
        around = by_rows(vectors, lambda found: vectors[nearest(found, count)].mean(1))
        covariance, _ = ledoit_wolf(vectors - around, assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        self._map = directions / np.sqrt(np.maximum(variances, SMALLEST))
        return self

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return whitened vectors."""
        return vectors @ self._map


def by_rows(vectors: Vectors, of_distances: Callable[[Vectors], Vectors], references: Vectors | None = None) -> Vectors:
    """Return `of_distances` of the Euclidean distances (rows, M) of vectors (N, D) to references (M, D), joined (N, …).

    N is 1 or more. Without references, they are the vectors themselves, M = N, and a vector is infinitely far from
    itself. Only `ROWS` vectors at a time have their distances in memory.
    """
    return np.concatenate([of_distances(found) for found in _distances(vectors, references)])


def _distances(vectors: Vectors, references: Vectors | None) -> Iterator[Vectors]:
    from scipy.spatial.distance import cdist  # takes time to import, and other backends do without it

    for start in range(0, len(vectors), ROWS):
        found = cdist(vectors[start : start + ROWS], vectors if references is None else references)
        if references is None:
            np.fill_diagonal(found[:, start:], np.inf)
        yield found


def smallest(distances: Vectors, count: int) -> Vectors:
    """Return the `count` smallest distances of each row, in ascending order, (rows, count)."""
    return np.sort(np.partition(distances, count - 1, axis=1)[:, :count], axis=1)


def nearest(distances: Vectors, count: int) -> NDArray[np.intp]:
    """Return the columns of the `count` smallest distances of each row, the smallest first, (rows, count)."""
    found = np.argpartition(distances, count - 1, axis=1)[:, :count]
    return np.take_along_axis(found, np.take_along_axis(distances, found, axis=1).argsort(1), axis=1)
