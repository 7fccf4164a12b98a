"""Distance to the nearest prototype of normal sound (Zhang et al., system4's report, §2.4, eq. 8 and 9)."""

import logging
from typing import Self

import numpy as np
from sklearn.cluster import KMeans

from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError

RUNS = 10  # of k-means, each from another start; the best is kept
_log = logging.getLogger(__name__)


class Prototypes:
    """Centroids of the source clips and every target clip as it is; the smallest cosine distance is the score.

    A clip without a domain counts as source. No more source clips than `centroids` are prototypes as they are.

    Attributes after `fit`: `prototypes_`, (P, dimensions), the targets last; `train_score_`, the scores of the training
    clips, where no clip is compared with itself: it would be its own prototype, and every threshold 0.
    """

    def __init__(self, representation: str, centroids: int = 16):
        self.representation = representation
        self.centroids = centroids

    def fit(self, train: Embeddings) -> Self:
        """Learn the prototypes."""
        vectors = np.asarray(train[self.representation], dtype=np.float64)
        target = np.array([domain == "target" for domain in train.domains])
        if target.all():
            raise AsdError("backend prototypes: there is no training clip of the source domain: add some")
        if len(vectors) == 1:
            raise AsdError("backend prototypes: there is one training clip alone: add some")
        itself = np.flatnonzero(target)  # the clips that are prototypes as they are
        if self._too_few(vectors[~target]):
            itself = np.concatenate([np.flatnonzero(~target), itself])
        self.prototypes_ = np.concatenate([self._centroids(vectors[~target]), vectors[target]])
        distances = self._distances(vectors)
        distances[itself, np.arange(len(self.prototypes_) - len(itself), len(self.prototypes_))] = np.inf
        self.train_score_ = distances.min(axis=1)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score a clip, (N,); higher is stranger."""
        return self._distances(np.asarray(test[self.representation], dtype=np.float64)).min(axis=1)

    def _too_few(self, source: np.ndarray) -> bool:
        return len(source) <= self.centroids

    def _centroids(self, source: np.ndarray) -> np.ndarray:
        if self._too_few(source):
            _log.warning("%d source clips for %d centroids: each clip is a prototype", len(source), self.centroids)
            return source
        return KMeans(self.centroids, n_init=RUNS, random_state=0).fit(source).cluster_centers_

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cosine distances of vectors (N, dimensions) to the prototypes, (N, P)."""
        return 1 - _unit(vectors) @ _unit(self.prototypes_).T


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(vectors.dtype).tiny)
