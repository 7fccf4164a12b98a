"""Minimum covering volume (MCV), the smallest sphere that holds the normal clips (report 5, §2.2)."""

from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings, names_of, unit
from asdlib.errors import AsdError

CENTRES = ("one", "domains")


class MinimumCoveringVolume:
    """Cosine distance to the mean direction of the normal clips; the sphere's radius is the threshold.

    `coverage` is the share of the training clips that the sphere must hold; with 1, it holds all of them. `centres` is
    one, or domains: then every domain of the training clips has a centre, and the score is the distance to the nearest.

    Attributes after `fit`: `centres_` (centres, dimensions), of unit length; `train_score_`; `threshold_`, the radius;
    `left_out_score_`, the distances of the training clips to centres of the other clips.
    """

    def __init__(self, representation: str = "latent", coverage: float = 1.0, centres: str = "one"):
        if centres not in CENTRES:
            raise AsdError(f"backend minimum_covering_volume: centres {centres!r}: use {' or '.join(CENTRES)}")
        self.representation = representation
        self.coverage = coverage
        self.centres = centres

    def fit(self, train: Embeddings) -> Self:
        """Learn the centres and the radius."""
        directions = unit(train[self.representation].astype(np.float64))
        domains = names_of(train.domains)
        names = np.unique(domains) if self.centres == "domains" else []
        groups = [domains == name for name in names] or [slice(None)]
        self.centres_ = unit(np.stack([directions[group].mean(0) for group in groups]))
        self.train_score_ = self.anomaly_score(train)
        self.left_out_score_ = self._left_out(directions, groups)
        self.threshold_ = float(np.quantile(self.train_score_, self.coverage, method="inverted_cdf"))
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,): 1 − cosine to the nearest centre; a higher score is more anomalous."""
        return self._nearest(unit(test[self.representation].astype(np.float64)) @ self.centres_.T)

    def _left_out(self, directions: np.ndarray, groups: list) -> np.ndarray:
        """Return the scores of the training clips, where the centre of a clip's own group is the mean of the others."""
        cosines = directions @ self.centres_.T
        for column, group in enumerate(groups):
            own = directions[group]
            if len(own) > 1:
                cosines[group, column] = (own * unit(own.sum(0) - own)).sum(1)
            else:
                cosines[group, column] = -1.0 if len(groups) > 1 else 1.0  # a clip alone: only other groups count
        return self._nearest(cosines)

    @staticmethod
    def _nearest(cosines: np.ndarray) -> np.ndarray:
        return np.maximum(1 - cosines.max(1), 0)  # rounding can leave −2e-16
