"""Distance to the nearest prototype of normal clips (Zhang et al., system4's report, §2.4, eq. 8 and 9)."""

import logging
from collections.abc import Sequence
from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings, unit
from asdlib.errors import TooFewClipsError
from asdlib.runtime.lean_imports import hidden

RUNS = 10  # of k-means, from different starts; the best is kept
_log = logging.getLogger(__name__)


class Prototypes:
    """The smallest cosine distance to a prototype: a centroid of the source clips, or one of the target clips.

    A clip without a domain counts as source. If there are at most `centroids` source clips, each is a prototype.

    Attributes after `fit`: `prototypes_`, (P, dimensions), the target clips last; `train_score_`, the scores of the
    training clips, where a clip that is a prototype is not compared to itself, since its score would be 0;
    `left_out_score_`, where a clip does not belong to its centroid either.
    """

    def __init__(self, representation: str, centroids: int = 16):
        self.representation = representation
        self.centroids = centroids

    def fit(self, train: Embeddings) -> Self:
        """Learn the prototypes; raise TooFewClipsError without source clips, and if there is only one training clip."""
        vectors = np.asarray(train[self.representation], dtype=np.float64)
        target = np.array([domain == "target" for domain in train.domains])
        self.refuse(train.domains)
        itself = np.flatnonzero(target)  # the clips that are prototypes themselves
        if self._too_few(vectors[~target]):
            itself = np.concatenate([np.flatnonzero(~target), itself])
        self.prototypes_ = np.concatenate([self._centroids(vectors[~target]), vectors[target]])
        distances = self._distances(vectors)
        distances[itself, np.arange(len(self.prototypes_) - len(itself), len(self.prototypes_))] = np.inf
        self.train_score_ = distances.min(axis=1)
        self.left_out_score_ = self._left_out(vectors, target, distances)
        return self

    @staticmethod
    def refuse(domains: Sequence[str | None]) -> None:
        """Raise TooFewClipsError if there are no source clips, or only one clip."""
        if all(domain == "target" for domain in domains):
            raise TooFewClipsError("backend prototypes: there is no training clip of the source domain: add some")
        if len(domains) == 1:
            raise TooFewClipsError("backend prototypes: there is only one training clip: add some")

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return self._distances(np.asarray(test[self.representation], dtype=np.float64)).min(axis=1)

    def _left_out(self, vectors: np.ndarray, target: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Return the scores of the training clips, where each source clip is taken out of the mean of its cluster.

        The other clips keep their clusters: fitting k-means again without each clip would take hours.
        """
        left_out = distances.copy()
        source = np.flatnonzero(~target)
        if not self._too_few(vectors[source]):
            for centroid in range(self.centroids):
                members = source[self._clusters == centroid]
                others = vectors[members].sum(0) - vectors[members]  # their mean has the same direction
                own = 1 - (unit(vectors[members]) * unit(others)).sum(1)
                left_out[members, centroid] = np.maximum(own, 0) if len(members) > 1 else np.inf
        return left_out.min(axis=1)

    def _too_few(self, source: np.ndarray) -> bool:
        return len(source) <= self.centroids

    def _centroids(self, source: np.ndarray) -> np.ndarray:
        if self._too_few(source):
            _log.warning("%d source clips for %d centroids: each clip is a prototype", len(source), self.centroids)
            return source
        with hidden("pandas"):  # scikit-learn takes a second, and other backends do without it
            from sklearn.cluster import KMeans

        found = KMeans(self.centroids, n_init=RUNS, random_state=0).fit(source)
        self._clusters = found.labels_
        return found.cluster_centers_

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cosine distances of vectors (N, dimensions) to the prototypes, (N, P)."""
        return np.maximum(1 - unit(vectors) @ unit(self.prototypes_).T, 0)  # rounding can leave −2e-16
