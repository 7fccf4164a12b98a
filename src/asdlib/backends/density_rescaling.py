"""Distances to normal clips, rescaled by how densely normal clips lie around each of them.

Local density normalisation (LDN): Wilkinghoff et al., "Keeping the Balance", ICASSP 2025, and arXiv 2509.10951. VarMin:
Matsumoto et al., DCASE workshop 2025, eq. 5. Logarithmic form: arXiv 2603.04605, §IV-C. Written from the formulas.
"""

from collections.abc import Callable, Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdlib.backends.quantiles import Values
from asdlib.backends.scaling import nearest

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

    def fit(self, others: Callable[[], Iterable[Values]]) -> Self:
        """Learn densities and α from the distances (R, R) among at least two normal clips, infinite to themselves.

        `others` returns them in blocks of rows, anew on each call, so that not all must be in memory at once.
        """
        self._neighbours_of(others())
        apart = self.density_[self.density_ >= FLOOR * self.density_.max()]  # those of copies are 0, or rounding
        self._floor = max(FLOOR * float(np.median(apart)), np.finfo(np.float64).tiny)
        self.alpha_ = self._smallest_variance()
        known, left_out, start = [], [], 0
        for block in others():
            known.append(self._smallest(block, self.density_))
            left_out.append(self._smallest(block, self._densities_without(range(start, start + len(block)))))
            start += len(block)
        self.train_score_, self.left_out_score_ = np.concatenate(known), np.concatenate(left_out)
        return self

    def __call__(self, distances: Values) -> Values:
        """Return the scores (N,) of clips at the distances (N, R) from the normal clips."""
        return self._smallest(distances, self.density_)

    def _neighbours_of(self, others: Iterable[Values]) -> None:
        """Set `density_`, and what it is without each of its neighbours; keep the nearest clip of every clip."""
        blocks = [(*_nearest_others(block, self.neighbours + 1), block.min(1), block.argmin(1)) for block in others]
        near, order, self._distance, self._nearest = (np.concatenate(values) for values in zip(*blocks, strict=True))
        used = min(self.neighbours, len(near) - 1)
        self.density_ = near[:, :used].mean(1)
        self._used = order[:, :used]
        self._rest = np.tile(self.density_[:, None], used)  # of two clips, neither has a neighbour without the other
        if len(near) > 2:
            self._rest = (near.sum(1, keepdims=True) - near[:, :used]) / (near.shape[1] - 1)

    def _densities_without(self, rows: range) -> Values:
        """Return the densities of all clips without that of each row, (rows, R)."""
        without = np.tile(self.density_, (len(rows), 1))
        clips, places = np.nonzero((self._used >= rows.start) & (self._used < rows.stop))
        without[self._used[clips, places] - rows.start, clips] = self._rest[clips, places]
        return without

    def _smallest_variance(self) -> float:
        distances, densities = self._scaled(self._distance), self._scaled(self.density_[self._nearest])
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


def _nearest_others(others: Values, count: int) -> tuple[Values, NDArray[np.intp]]:
    """Return the `count` smallest distances of each row, or all but its own if there are fewer, and their columns."""
    count = min(count, others.shape[1] - 1)
    order = nearest(others, count)
    return np.take_along_axis(others, order, axis=1), order
