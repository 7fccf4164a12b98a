"""The scales on which vectors are compared: standardised values, and whitened differences between neighbours."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdlib.runtime.lean_imports import hidden

Vectors = NDArray[np.float64]
SMALLEST = 1e-9  # lower bound of deviations and variances that vectors are divided by


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
        nearest = np.argsort(distances_to_others(vectors), axis=1)[:, :count]
        covariance, _ = ledoit_wolf(vectors - vectors[nearest].mean(1), assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        self._map = directions / np.sqrt(np.maximum(variances, SMALLEST))
        return self

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return whitened vectors."""
        return vectors @ self._map


def distances_between(vectors: Vectors, others: Vectors) -> Vectors:
    """Return the Euclidean distances of vectors (N, D) to others (M, D), (N, M)."""
    from scipy.spatial.distance import cdist  # takes time to import, and other backends do without it

    return cdist(vectors, others)


def distances_to_others(vectors: Vectors) -> Vectors:
    """Return the distances of vectors to each other, where a vector is infinitely far from itself, (N, N)."""
    found = distances_between(vectors, vectors)
    np.fill_diagonal(found, np.inf)
    return found
