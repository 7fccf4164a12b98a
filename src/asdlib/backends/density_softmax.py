"""Density-Softmax: strange is a clip that no class of its machine explains, or that many classes explain alike.

Report 5, §2.1.1: class-conditional Gaussian densities, normalised by a softmax over all classes. How its two signs, a
flat distribution and small densities, become one score is ours (docs/system5.md).
"""

from typing import Self

import numpy as np
from scipy.special import logsumexp, softmax

from asdlib.backends.embeddings import Embeddings

SMALLEST = 1e-9  # a sign whose spread over normal clips is rounding noise has no scale


class DensitySoftmax:
    """Density and flatness of log class densities, each in units of its spread over the normal clips, added up.

    `representation` holds ln p(x | class) of the classes of *all* machines, (N, classes); the softmax is taken over
    them, at `temperature`. `own` holds those of the machine's own classes, which the density is that of: a clip that
    sounds like another machine is strange. A weight of 0 leaves one of the signs out.

    Attributes after `fit`: `mean_` and `spread_` of both signs over the training clips; `train_score_`; `threshold_`,
    the `quantile` of the training clips' scores.
    """

    def __init__(
        self,
        representation: str = "log_density",
        own: str = "own_log_density",
        temperature: float = 32.0,
        density_weight: float = 1.0,
        flatness_weight: float = 1.0,
        quantile: float = 0.9,
    ):
        self.representation = representation
        self.own = own
        self.temperature = temperature
        self.density_weight = density_weight
        self.flatness_weight = flatness_weight
        self.quantile = quantile

    def fit(self, train: Embeddings) -> Self:
        """Learn what is usual for the machine's normal clips."""
        signs = self._signs(train)
        self.mean_, self.spread_ = signs.mean(0), signs.std(0)
        self.train_score_ = self.anomaly_score(train)
        self.threshold_ = float(np.quantile(self.train_score_, self.quantile))
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score a clip, (N,); higher is stranger."""
        offsets = self._signs(test) - self.mean_
        standard = np.divide(offsets, self.spread_, out=np.zeros_like(offsets), where=self.spread_ > SMALLEST)
        return standard @ np.array([self.density_weight, self.flatness_weight])

    def _signs(self, clips: Embeddings) -> np.ndarray:
        """Return −ln density and flatness, (N, 2)."""
        every, own = (clips[name].astype(np.float64) for name in (self.representation, self.own))
        return np.stack([-mean_log_density(own), flatness(every, self.temperature)], axis=1)


def mean_log_density(log_densities: np.ndarray) -> np.ndarray:
    """Return ln of the mean density over classes, (N,), of log densities (N, classes)."""
    return logsumexp(log_densities, axis=1) - np.log(log_densities.shape[1])


def flatness(log_densities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the entropy of the softmax of log densities (N, classes), as a share of the largest possible, (N,)."""
    classes = log_densities.shape[1]
    if classes == 1:
        return np.zeros(len(log_densities))
    shares = softmax(log_densities / temperature, axis=1)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)  # 0 · ln 0 = 0
    return -(shares * logarithms).sum(1) / np.log(classes)
