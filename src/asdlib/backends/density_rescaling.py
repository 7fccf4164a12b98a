"""Distances to normal clips, rescaled by how densely normal clips lie around each of them.

Local density normalisation (LDN): Wilkinghoff et al., "Keeping the Balance", ICASSP 2025, and arXiv 2509.10951. VarMin:
Matsumoto et al., DCASE workshop 2025, eq. 5. Logarithmic form: arXiv 2603.04605, §IV-C. Written from the formulas.
"""

from typing import Self

import numpy as np

from asdlib.backends.quantiles import Values

RESCALINGS = ("none", "ratio", "difference", "variance")
FLOOR = 1e-6  # of the median: below it, densities are equal, and copies of a recording do not divide by zero
NO_VARIANCE = 1e-12  # of the densities: below it they cannot explain any distance


class DensityRescaling:
    """Distances D (N, R) to R normal clips with the densities b (R,) → the smallest rescaled distance, (N,).

    b is a normal clip's mean distance to its `neighbours` nearest other ones, to all of them if there are fewer. The
    rescaled distance is D (none), D / b (ratio), D − b (difference) or D − α b (variance). α minimises the variance of
    the scores of normal clips: the covariance of their nearest distance with b of that neighbour, divided by the
    variance of b. With `log`, D and b are replaced by their logarithms.

    Attributes after `fit`: `density_` (R,); `alpha_`; `train_score_` (R,), the scores of the normal clips with the
    densities and α of all; `left_out_score_`, the same with densities of the others alone, as for a new clip.
    """

    def __init__(self, neighbours: int, rescale: str, log: bool):
        self.neighbours = neighbours
        self.rescale = rescale
        self.log = log

    def fit(self, distances: Values) -> Self:
        """Learn densities and α from the distances (R, R) among at least two normal clips."""
        others = distances.copy()
        np.fill_diagonal(others, np.inf)
        without = self._densities(others)  # (R, R): b of every column without the clip of the row
        self._floor = max(FLOOR * float(np.median(self.density_)), np.finfo(np.float64).tiny)
        self.alpha_ = self._smallest_variance(others)
        self.train_score_ = self._smallest(others, self.density_)
        self.left_out_score_ = self._smallest(others, without)
        return self

    def __call__(self, distances: Values) -> Values:
        """Return the scores (N,) of clips at the distances (N, R) from the normal clips."""
        return self._smallest(distances, self.density_)

    def _densities(self, others: Values) -> Values:
        """Set `density_`, and return the densities (R, R) of all clips without that of each row."""
        clips = len(others)
        used, known = min(self.neighbours, clips - 1), min(self.neighbours + 1, clips - 1)
        found = np.argpartition(others, known - 1, axis=1)[:, :known]
        order = np.take_along_axis(found, np.take_along_axis(others, found, axis=1).argsort(1), axis=1)
        near = np.take_along_axis(others, order, axis=1)
        self.density_ = near[:, :used].mean(1)
        without = np.tile(self.density_, (clips, 1))
        if clips > 2:  # of two clips, neither has a neighbour without the other
            rest = (near.sum(1, keepdims=True) - near[:, :used]) / (near.shape[1] - 1)
            without[order[:, :used], np.arange(clips)[:, None]] = rest
        return without

    def _smallest_variance(self, others: Values) -> float:
        distances, densities = self._scaled(others.min(1)), self._scaled(self.density_[others.argmin(1)])
        variance = densities.var()
        if self.rescale != "variance" or variance <= NO_VARIANCE:
            return 0.0
        return float(((distances - distances.mean()) * (densities - densities.mean())).mean() / variance)

    def _smallest(self, distances: Values, densities: Values) -> Values:
        distances = self._scaled(distances)
        if self.rescale == "none":
            return distances.min(1)
        if self.rescale == "ratio":
            return (distances / np.maximum(densities, self._floor)).min(1)
        share = self.alpha_ if self.rescale == "variance" else 1.0
        return (distances - share * self._scaled(densities)).min(1)

    def _scaled(self, values: Values) -> Values:
        return np.log(np.maximum(values, self._floor)) if self.log else values
