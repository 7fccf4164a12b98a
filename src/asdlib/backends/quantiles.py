"""The share of normal clips that score lower, with tails that rank what lies outside all of them."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdlib.errors import TooFewClipsError

Values = NDArray[np.float64]
SMALLEST = 1e-9  # lower bound of the scale of a tail


class Quantiles:
    """Scores (…) → quantiles among the scores of n normal clips, strictly between 0 and 1.

    The quantile is i / (n + 1) at the i-th smallest of these scores, and linear between them. Above the largest it is
    q + (1 − q) x / (x + s), where q is that of the largest, x the distance to it, and s its distance from the median.
    An exponential tail would be 1 for all that is far out. The tail below the smallest is the mirror image.
    """

    def fit(self, scores: Values) -> Self:
        """Store the scores of normal clips."""
        if not len(scores):
            raise TooFewClipsError("backend: quantiles need normal scores: add training clips")
        self._sorted = np.sort(np.asarray(scores, dtype=np.float64))
        self._quantiles = np.arange(1, len(scores) + 1) / (len(scores) + 1)
        median = np.median(self._sorted)
        self._below = max(median - self._sorted[0], SMALLEST)
        self._above = max(self._sorted[-1] - median, SMALLEST)
        return self

    def __call__(self, scores: Values) -> Values:
        """Return the quantiles of scores."""
        lowest, highest = self._quantiles[[0, -1]]
        over = np.maximum(scores - self._sorted[-1], 0)
        under = np.maximum(self._sorted[0] - scores, 0)
        inside = np.interp(scores, self._sorted, self._quantiles)
        return inside + (1 - highest) * over / (over + self._above) - lowest * under / (under + self._below)


def left_out_quantiles(scores: Values) -> Values:
    """Return the quantile of each score (N,) among all others; one half if there is no other."""
    if len(scores) == 1:
        return np.full(1, 0.5)
    return np.array([float(Quantiles().fit(np.delete(scores, row))(scores[row])) for row in range(len(scores))])
