"""The smallest of the distances that a representation holds."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.thresholds import gamma_quantile
from asdlib.errors import AsdError


class SmallestDistance:
    """The official baseline's scores: its mean squared error, or the smaller of its two Mahalanobis distances.

    Attributes after `fit`: `threshold_`, the quantile of a gamma distribution fitted to the model's calibration sample
    (docs/baseline.md, Decision threshold); `train_score_`, the scores of the training clips.
    """

    def __init__(self, representation: str, quantile: float = 0.9):
        self.representation = representation
        self.quantile = quantile

    def fit(self, train: Embeddings) -> Self:
        """Fit the threshold to the calibration sample of the representation; raise AsdError if there is none."""
        if self.representation not in train.calibration:
            raise AsdError(
                f"backend smallest_distance: the model gives no calibration {self.representation!r}: use another"
            )
        self.threshold_ = gamma_quantile(train.calibration[self.representation], self.quantile)
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return test[self.representation].min(axis=1)
