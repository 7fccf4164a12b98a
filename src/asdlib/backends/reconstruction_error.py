"""A representation that is an error already: it is the anomaly score."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError


class ReconstructionError:
    """How badly a model reconstructs a clip, `representation` (N, 1).

    Attributes after `fit`: `train_score_`, the errors of the training clips.
    """

    def __init__(self, representation: str):
        self.representation = representation

    def fit(self, train: Embeddings) -> Self:
        """Learn nothing but the errors of the training clips."""
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score a clip, (N,); higher is stranger."""
        errors = test[self.representation]
        if errors.shape[1] != 1:
            raise AsdError(
                f"backend reconstruction_error: {self.representation!r} has {errors.shape[1]} values a clip: "
                "name a representation of one"
            )
        return errors[:, 0]
