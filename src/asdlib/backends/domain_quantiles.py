"""Scores as quantiles of the domains of the training clips (DACo: domain-adaptive conformal calibration).

A score that is usual in one domain can be high in another. The domain of a test clip is not known; it is judged by the
distances to the training clips of each domain.
"""

import logging
from collections.abc import Sequence
from typing import Self

import numpy as np

from asdlib.backends.embeddings import names_of
from asdlib.backends.quantiles import Quantiles, Values, left_out_quantiles

ENOUGH = 3  # clips of a domain; one with fewer has the quantiles of all training clips
SMALLEST = 1e-12  # lower bound of the distance that others are compared to
ASSIGNMENTS = ("soft", "hard")

_log = logging.getLogger(__name__)


class DomainQuantiles:
    """The mean of a score's quantiles in all domains, weighted by how near the clip is to the clips of each.

    The weights are the softmax of −d / m, where d is the distance to the nearest training clip of a domain, and m the
    median of the distances of the training clips to their nearest other clip. With the `assignment` hard, only the
    nearest domain counts. `shared` is the number of clips as which the quantiles of all training clips count beside
    those of a domain; infinitely many keep the order of the scores.
    """

    def __init__(self, assignment: str, shared: float):
        self.assignment = assignment
        self.shared = shared

    def fit(self, scores: Values, distances: Values, domains: Sequence[str | None]) -> Self:
        """Learn the quantiles from the left-out scores (N,) of training clips; `left_out_` has theirs.

        `distances` (N, domains) are those of each clip to the nearest other clip of every domain, infinite if there is
        none; the domains are sorted by their names.
        """
        names = names_of(domains)
        self.domains_ = np.unique(names)
        self._everyone = Quantiles().fit(scores)
        self._usual = max(float(np.median(distances.min(1))), SMALLEST)
        self._own: list[tuple[int, Quantiles]] = []
        among_all = left_out_quantiles(scores)
        self.left_out_ = np.zeros(len(scores))
        for name, weight in zip(self.domains_, self._weights(distances).T, strict=True):
            members = names == name
            count = int(members.sum())
            if count < ENOUGH:
                _log.warning("%d training clips of domain %s: quantiles of all clips instead", count, name)
                count = 0
            quantiles = Quantiles().fit(scores[members])
            self._own.append((count, quantiles))
            own = quantiles(scores)
            own[members] = left_out_quantiles(scores[members])
            self.left_out_ += weight * self._mixed(count - members if count else 0, own, among_all)
        return self

    def __call__(self, scores: Values, distances: Values) -> Values:
        """Return the calibrated scores (N,) of clips with these scores and distances to the domains."""
        everyone = self._everyone(scores)
        values = [self._mixed(count, own(scores), everyone) for count, own in self._own]
        return (self._weights(distances) * np.stack(values, axis=1)).sum(1)

    def _mixed(self, count: int | Values, own: Values, everyone: Values) -> Values:
        """Return quantiles in a domain of `count` clips, mixed with those among all clips."""
        if np.isinf(self.shared) or not np.any(count):
            return everyone
        return (count * own + self.shared * everyone) / (count + self.shared)

    def _weights(self, distances: Values) -> Values:
        """Return the weight of every domain for clips with these distances, (N, domains)."""
        if self.assignment == "hard":
            return np.eye(distances.shape[1])[distances.argmin(1)]
        exponents = np.exp(-(distances - distances.min(1, keepdims=True)) / self._usual)
        return exponents / exponents.sum(1, keepdims=True)
