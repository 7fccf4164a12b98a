"""A backend that measures how far a clip lies from the mean of the training clips."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings


class ToyDistance:
    """Euclidean distance times `scale`; without a threshold of its own."""

    def __init__(self, representation: str, scale: float):
        self.representation = representation
        self.scale = scale

    def fit(self, train: Embeddings) -> Self:
        self.centre_ = train[self.representation].mean(axis=0)
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        return self.scale * np.linalg.norm(test[self.representation] - self.centre_, axis=1)
