"""The fusion of the scores of several branches into one."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from asdlib.backends.quantiles import Quantiles, Values, left_out_quantiles

# Standardised scores and quantiles need the scores of training clips alone, so that a single clip can be scored.
MEAN, Z_MEAN, RANK_MEAN = "mean", "z_mean", "rank_mean"


class Fusion:
    """The mean of the scores of branches: as they are (mean), standardised (z_mean) or as quantiles (rank_mean).

    Mean, standard deviation and quantiles of a branch are those of its left-out scores of the training clips. The
    quantiles have tails, so that clips beyond all training clips are not tied.

    Attribute after `fit`: `left_out_` (N,), the fused scores of the training clips, each compared with the others.
    """

    def __init__(self, kind: str):
        self._scale = {MEAN: _Plain, Z_MEAN: _Standard, RANK_MEAN: _Ranks}[kind]

    def fit(self, branches: Sequence[Values]) -> Self:
        """Learn from the left-out scores (N,) of the training clips, branch by branch."""
        self._scales = [self._scale().fit(scores) for scores in branches]
        self.left_out_ = np.mean([scale.left_out_ for scale in self._scales], axis=0)
        return self

    def __call__(self, branches: Sequence[Values]) -> Values:
        """Return one score per clip, (N,), from those of each branch."""
        return np.mean([scale(scores) for scale, scores in zip(self._scales, branches, strict=True)], axis=0)


class _Plain:
    def fit(self, scores: Values) -> Self:
        self.left_out_ = scores
        return self

    def __call__(self, scores: Values) -> Values:
        return scores


class _Standard:
    def fit(self, scores: Values) -> Self:
        self._mean, self._deviation = scores.mean(), _positive(scores.std())
        others = max(len(scores) - 1, 1)
        means = (scores.sum() - scores) / others
        offsets = scores - self._mean  # small numbers, whose squares keep their digits
        squares = ((offsets**2).sum() - offsets**2) / others
        deviations = np.sqrt(np.maximum(squares - (means - self._mean) ** 2, 0))
        usual = deviations > 1e-9 * self._deviation  # the others may all be equal
        self.left_out_ = (scores - means) / np.where(usual, deviations, self._deviation)
        return self

    def __call__(self, scores: Values) -> Values:
        return (scores - self._mean) / self._deviation


class _Ranks:
    def fit(self, scores: Values) -> Self:
        self._quantiles = Quantiles().fit(scores)
        self.left_out_ = left_out_quantiles(scores)
        return self

    def __call__(self, scores: Values) -> Values:
        return self._quantiles(scores)


def _positive(deviation: float) -> float:
    """Return a deviation to divide by; 1 where all scores are equal."""
    return float(deviation) if deviation > 0 else 1.0
