"""The scales on which vectors are compared: standardised values, and whitened differences between neighbours."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

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
    say little about a fault. Their covariance is shrunk towards a multiple of the identity (`shrunk_covariance`).
    """

    def __init__(self, neighbours: int):
        self.neighbours = neighbours

    def fit(self, vectors: Vectors) -> Self:
        """Learn the map from normal clips, of which there are two or more."""
        count = min(self.neighbours, len(vectors) - 1)
        nearest = np.argsort(distances_to_others(vectors), axis=1)[:, :count]
        variances, directions = np.linalg.eigh(shrunk_covariance(vectors - vectors[nearest].mean(1)))
        self._map = directions / np.sqrt(np.maximum(variances, SMALLEST))
        return self

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return whitened vectors."""
        return vectors @ self._map


def shrunk_covariance(residuals: Vectors) -> Vectors:
    """Return the covariance of vectors whose mean is zero, (N, D), as Ledoit and Wolf shrink it.

    O. Ledoit and M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88, 2004, section 3.2: the sample covariance S moves towards m·I, m the mean variance, by the
    share b² / d² that minimises the expected squared error. d² is the squared distance of S from m·I, and b² estimates
    that of S from the true covariance, from the distances of single vectors' outer products from S.
    """
    count, size = residuals.shape
    sample = residuals.T @ residuals / count
    mean = np.trace(sample) / size
    spread = (sample**2).sum() - size * mean**2  # d², times the number of dimensions like the next one
    error = ((residuals**2).sum(1) ** 2).sum() / count**2 - (sample**2).sum() / count
    share = min(error / spread, 1.0) if spread > 0 and error > 0 else 0.0
    return (1 - share) * sample + share * mean * np.eye(size)


def distances_between(vectors: Vectors, others: Vectors) -> Vectors:
    """Return the Euclidean distances of vectors (N, D) to others (M, D), (N, M)."""
    from scipy.spatial.distance import cdist  # takes time to import, and other backends do without it

    return cdist(vectors, others)


def distances_to_others(vectors: Vectors) -> Vectors:
    """Return the distances of vectors to each other, where a vector is infinitely far from itself, (N, N)."""
    found = distances_between(vectors, vectors)
    np.fill_diagonal(found, np.inf)
    return found
