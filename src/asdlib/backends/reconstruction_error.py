"""Reconstruction errors, used as anomaly scores unchanged."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError


class ReconstructionError:
    """The reconstruction error of a clip, which is the `representation` (N, 1).

    Attributes after `fit`: `train_score_`, the errors of the training clips.
    """

    def __init__(self, representation: str):
        self.representation = representation

    def fit(self, train: Embeddings) -> Self:
        """Store the errors of the training clips."""
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        errors = test[self.representation]
        if errors.shape[1] != 1:
            raise AsdError(
                f"backend reconstruction_error: {self.representation!r} has {errors.shape[1]} values per clip: "
                "name a representation of one value"
            )
        return errors[:, 0]
