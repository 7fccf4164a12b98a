"""Minimum covering volume (MCV), the smallest sphere that holds the normal clips (report 5, §2.2)."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError

CENTRES = ("one", "domains")


class MinimumCoveringVolume:
    """Cosine distance to the mean direction of the normal clips; the sphere's radius is the threshold.

    `coverage` is the share of the training clips that the sphere must hold; with 1, it holds all of them. `centres` is
    one, or domains: then every domain of the training clips has a centre, and the score is the distance to the nearest.

    Attributes after `fit`: `centres_` (centres, dimensions), of unit length; `train_score_`; `threshold_`, the radius.
    """

    def __init__(self, representation: str = "latent", coverage: float = 1.0, centres: str = "one"):
        if centres not in CENTRES:
            raise AsdError(f"minimum_covering_volume.centres: {centres!r}: use {' or '.join(CENTRES)}")
        self.representation = representation
        self.coverage = coverage
        self.centres = centres

    def fit(self, train: Embeddings) -> Self:
        """Learn the centres and the radius."""
        directions = _directions(train[self.representation])
        domains = np.array([domain or "" for domain in train.domains])
        names = np.unique(domains) if self.centres == "domains" else []
        groups = [domains == name for name in names] or [slice(None)]
        self.centres_ = _directions(np.stack([directions[group].mean(0) for group in groups]))
        self.train_score_ = self.anomaly_score(train)
        self.threshold_ = float(np.quantile(self.train_score_, self.coverage, method="inverted_cdf"))
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,): 1 − cosine to the nearest centre; a higher score is more anomalous."""
        distances = 1 - (_directions(test[self.representation]) @ self.centres_.T).max(1)
        return np.maximum(distances, 0)  # rounding can leave −2e-16


def _directions(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
