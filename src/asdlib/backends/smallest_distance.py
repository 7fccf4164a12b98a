"""The smallest of the distances that a representation holds."""

import logging
from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.thresholds import gamma_quantile
from asdlib.errors import AsdError

SAME = 1e-2  # relative; another device computes with another rounding
_log = logging.getLogger(__name__)


class SmallestDistance:
    """The official baseline's scores: its mean squared error, or the smaller of its two Mahalanobis distances.

    Attributes after `fit`: `threshold_`, the quantile of a gamma distribution fitted to the model's calibration sample
    (docs/baseline.md, Decision threshold); `train_score_`, the scores of the training clips; `left_out_score_`, their
    scores by distances that do not know the clip, if the model gives them (`<representation>_left_out` in its
    calibration: a row of scores, and a row of left-out scores, of the clips that it was trained on).
    """

    model_leaves_out = "recordings"  # asdlib.scoring.left_out

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
        if f"{self.representation}_left_out" in train.calibration:
            self._leave_out(*train.calibration[f"{self.representation}_left_out"])
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return test[self.representation].min(axis=1)

    def _leave_out(self, known: np.ndarray, left_out: np.ndarray) -> None:
        """Set `left_out_score_` unless the model was trained on other clips: on several sections, or another view."""
        if known.shape == self.train_score_.shape and np.allclose(known, self.train_score_, rtol=SAME):
            self.left_out_score_ = left_out
        else:
            _log.warning(
                "%s: the clips are not those of the training one by one, so their scores are not left out: a fitted "
                "threshold is somewhat low", self.representation,
            )  # fmt: skip
