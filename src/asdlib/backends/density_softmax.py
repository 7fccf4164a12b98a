"""Density-Softmax, which scores a clip by its class-conditional densities and their softmax (report 5, §2.1.1).

A clip is anomalous if its density is low in all classes of its machine, or if many classes are about equally likely.
The report does not say how these two indicators are combined; docs/system5.md describes the choice made here.
"""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings

SMALLEST = 1e-9  # an indicator whose spread over normal clips is below this is ignored


class DensitySoftmax:
    """The weighted sum of negative log density and flatness, both standardised over the normal training clips.

    `representation` names ln p(x | class) of the classes of *all* machines, (N, classes), over which the softmax at
    `temperature` is computed. `own` names those of the machine's own classes, from which the density is computed: a
    clip that sounds like another machine is anomalous. A weight of 0 leaves an indicator out. `left_out` and
    `own_left_out` name the same densities, in which a training clip does not belong to its class.

    Attributes after `fit`: `mean_` and `spread_` of both indicators over the training clips; `train_score_`, their
    scores; `left_out_score_`, their scores by densities that do not know the clip.
    """

    model_leaves_out = "clips"  # asdlib.scoring.left_out

    def __init__(
        self,
        representation: str = "log_density",
        own: str = "own_log_density",
        left_out: str = "log_density_left_out",
        own_left_out: str = "own_log_density_left_out",
        temperature: float = 32.0,
        density_weight: float = 1.0,
        flatness_weight: float = 1.0,
    ):
        self.representation = representation
        self.own = own
        self.left_out = left_out
        self.own_left_out = own_left_out
        self.temperature = temperature
        self.density_weight = density_weight
        self.flatness_weight = flatness_weight

    def fit(self, train: Embeddings) -> Self:
        """Learn the distribution of the indicators from normal clips."""
        indicators = self._indicators(train, self.representation, self.own)
        self.mean_, self.spread_ = indicators.mean(0), indicators.std(0)
        self.train_score_ = self._standardised(indicators)
        self.left_out_score_ = self._standardised(self._indicators(train, self.left_out, self.own_left_out))
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return self._standardised(self._indicators(test, self.representation, self.own))

    def _standardised(self, indicators: np.ndarray) -> np.ndarray:
        """Return the weighted sum of the standardised indicators, (N,)."""
        offsets = indicators - self.mean_
        standard = np.divide(offsets, self.spread_, out=np.zeros_like(offsets), where=self.spread_ > SMALLEST)
        return standard @ np.array([self.density_weight, self.flatness_weight])

    def _indicators(self, clips: Embeddings, every: str, own: str) -> np.ndarray:
        """Return the negative log density in the machine's own classes and the flatness over every class, (N, 2)."""
        density = -mean_log_density(clips[own].astype(np.float64))
        return np.stack([density, flatness(clips[every].astype(np.float64), self.temperature)], axis=1)


def mean_log_density(log_densities: np.ndarray) -> np.ndarray:
    """Return ln of the mean density over classes, (N,), of log densities (N, classes)."""
    from scipy.special import logsumexp  # takes a fifth of a second, and other backends do without it

    return logsumexp(log_densities, axis=1) - np.log(log_densities.shape[1])


def flatness(log_densities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the entropy of the softmax of log densities (N, classes), relative to its maximum, (N,)."""
    from scipy.special import softmax

    classes = log_densities.shape[1]
    if classes == 1:
        return np.zeros(len(log_densities))
    shares = softmax(log_densities / temperature, axis=1)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)  # 0 · ln 0 = 0
    return -(shares * logarithms).sum(1) / np.log(classes)
