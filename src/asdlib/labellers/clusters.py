"""Clusters of similar clips, in place of the attributes that a machine does not have."""

from collections import defaultdict

import numpy as np
import pyarrow as pa

from asdlib.errors import AsdError
from asdlib.examples.pseudo_labels import NONE


class Clusters:
    """K-means of the clips without attributes, for each section and domain by itself.

    Of n clips, `share` · n clusters are made, rounded down, and at least one. `restarts` is how often k-means begins
    anew; the best result counts. `random_state` decides where it begins.
    """

    def __init__(
        self, representation: str = "embedding", share: float = 0.008, restarts: int = 10, random_state: int = 42
    ):
        if not 0 < share <= 1 or restarts < 1:
            raise AsdError(
                f"labeller clusters: share {share}, restarts {restarts}: use a share up to 1, and 1 restart or more"
            )
        self.representation = representation
        self.share = share
        self.restarts = restarts
        self.random_state = random_state

    def label(self, clips: pa.Table, vectors: np.ndarray) -> np.ndarray:
        """Return the cluster of each clip within its section and domain, int32 (N,); NONE with attributes."""
        found = np.full(len(clips), NONE, np.int32)
        for rows in groups(clips):
            found[rows] = self._clusters(vectors[rows].reshape(len(rows), -1).astype(np.float64))
        return found

    def expected(self, clips: pa.Table) -> np.ndarray:
        """Return clusters of the same number that mean nothing, int32 (N,); NONE with attributes."""
        found = np.full(len(clips), NONE, np.int32)
        for rows in groups(clips):
            found[rows] = np.arange(len(rows)) % self._count(len(rows))
        return found

    def _count(self, clips: int) -> int:
        return max(1, int(self.share * clips))

    def _clusters(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cluster of each vector; copies of a vector make fewer clusters, because none is empty."""
        from sklearn.cluster import KMeans  # slow to import

        count = min(self._count(len(vectors)), len(np.unique(vectors, axis=0)))
        return KMeans(count, n_init=self.restarts, random_state=self.random_state).fit_predict(vectors)


def groups(clips: pa.Table) -> list[list[int]]:
    """Return the rows of the clips without attributes, for each section and domain."""
    found: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    columns = (clips.column(name).to_pylist() for name in ("section", "domain", "attributes"))
    for row, (section, domain, attributes) in enumerate(zip(*columns, strict=True)):
        if not attributes:
            found[section, domain].append(row)
    return list(found.values())
