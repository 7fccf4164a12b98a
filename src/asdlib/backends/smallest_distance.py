"""A representation that already holds distances: the smallest of them is the anomaly score."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.thresholds import gamma_quantile
from asdlib.errors import AsdError


class SmallestDistance:
    """The official baseline's two scores: its one error, or the nearer of its two Mahalanobis distances.

    Attributes after `fit`: `threshold_`, the quantile of a gamma distribution fitted to the model's own calibration
    sample (docs/baseline.md, Decision threshold); `train_score_`, the scores of the training clips.
    """

    def __init__(self, representation: str, quantile: float = 0.9):
        self.representation = representation
        self.quantile = quantile

    def fit(self, train: Embeddings) -> Self:
        """Fit the decision threshold to the calibration sample of this representation."""
        if self.representation not in train.calibration:
            raise AsdError(
                f"backend smallest_distance: the model gives no calibration {self.representation!r}: use one that does"
            )
        self.threshold_ = gamma_quantile(train.calibration[self.representation], self.quantile)
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score a clip, (N,); higher is stranger."""
        return test[self.representation].min(axis=1)
