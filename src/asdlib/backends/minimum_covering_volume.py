"""Minimum covering volume (MCV), the smallest sphere that holds the normal clips (report 5, §2.2)."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings


class MinimumCoveringVolume:
    """Cosine distance to the mean direction of the normal clips; the sphere's radius is the threshold.

    `coverage` is the share of the training clips that the sphere must hold; with 1, it holds all of them.

    Attributes after `fit`: `centre_` (dimensions,), of unit length; `train_score_`; `threshold_`, the radius.
    """

    def __init__(self, representation: str = "latent", coverage: float = 1.0):
        self.representation = representation
        self.coverage = coverage

    def fit(self, train: Embeddings) -> Self:
        """Learn the centre and the radius."""
        mean = _directions(train[self.representation]).mean(0)
        self.centre_ = _directions(mean[None])[0]
        self.train_score_ = self.anomaly_score(train)
        self.threshold_ = float(np.quantile(self.train_score_, self.coverage, method="inverted_cdf"))
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,): 1 − cosine to the centre; a higher score is more anomalous."""
        distances = 1 - _directions(test[self.representation]) @ self.centre_
        return np.maximum(distances, 0)  # rounding can leave −2e-16


def _directions(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
