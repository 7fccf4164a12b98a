"""Distances to normal clips in every frequency band for itself, rescaled by the density of the normal clips.

Matching band by band is BEAM's (arXiv 2603.13749). With one vector per clip there is a single band, and the score is
that of local density normalisation (asdlib.backends.density_rescaling).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Self

import numpy as np

from asdlib.backends.density_rescaling import RESCALINGS, DensityRescaling
from asdlib.backends.domain_quantiles import ASSIGNMENTS, DomainQuantiles
from asdlib.backends.embeddings import Embeddings, names_of, unit
from asdlib.backends.quantiles import Values
from asdlib.errors import AsdError, TooFewClipsError

METRICS = ("cosine", "euclidean")
TOGETHER = "together"
ROWS = 1024  # clips whose distances to all others are in memory at a time

_log = logging.getLogger(__name__)


class BandMemory:
    """The mean over bands of the smallest rescaled distance to the training clips, all domains together.

    The representation is one vector per clip (N, dimensions) or one per band (N, bands, dimensions); every band may
    have another nearest clip. `metric` is cosine, ½ (1 − cosine) in [0, 1], or euclidean. `neighbours`, `rescale` and
    `log` are those of DensityRescaling, which every band has for itself. `domains` is together; or soft or hard, the
    assignment of DomainQuantiles, which then calibrates the scores, with `shared` as its own.

    Attributes after `fit`: `alpha_` (bands,); `train_score_`, the scores of the training clips, where a clip is not its
    own neighbour; `left_out_score_`, where it does not belong to the densities and quantiles either.
    """

    def __init__(
        self,
        representation: str,
        neighbours: int = 4,
        rescale: str = "variance",
        log: bool = False,
        metric: str = "cosine",
        domains: str = TOGETHER,
        shared: float = 0.0,
    ):
        self.representation = representation
        self.neighbours = neighbours
        self.rescale = rescale
        self.log = log
        self.metric = metric
        self.domains = domains
        self.shared = shared
        self._refuse_bad_arguments()

    def fit(self, train: Embeddings) -> Self:
        """Store the training clips; raise TooFewClipsError if there is only one."""
        self.refuse(train.domains)
        vectors = self._vectors(train)
        self._centre = vectors.mean(0)
        self._memory = self._placed(vectors)
        names = names_of(train.domains)
        self._members = [np.flatnonzero(names == name) for name in np.unique(names)]
        bands = range(vectors.shape[1])
        self._bands = [
            DensityRescaling(self.neighbours, self.rescale, self.log).fit(partial(self._others, band)) for band in bands
        ]
        self.alpha_ = np.array([band.alpha_ for band in self._bands])
        if self.rescale == "variance":  # clips that lie apart from all others can make it large
            _log.info("%s: alpha %s", self.representation, np.array2string(self.alpha_, precision=3))
        self.train_score_ = np.mean([band.train_score_ for band in self._bands], axis=0)
        self.left_out_score_ = np.mean([band.left_out_score_ for band in self._bands], axis=0)
        if self.domains != TOGETHER:
            nearest = sum(_joined(map(self._nearest, self._others(band))) for band in bands) / len(bands)
            self._quantiles = DomainQuantiles(self.domains, self.shared)
            self._quantiles.fit(self.left_out_score_, nearest, train.domains)
            self.train_score_ = self._quantiles(self.train_score_, nearest)
            self.left_out_score_ = self._quantiles.left_out_
        return self

    @staticmethod
    def refuse(domains: Sequence[str | None]) -> None:
        """Raise TooFewClipsError if there are not two training clips."""
        if len(domains) < 2:
            raise TooFewClipsError("backend band_memory: one training clip has no neighbour: add training clips")

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        vectors = self._placed(self._vectors(test))
        if vectors.shape[1:] != self._memory.shape[1:]:
            raise AsdError(
                f"backend band_memory: {self.representation!r} has another shape than in training: run again"
            )
        return _joined(self._scores(vectors[start : start + ROWS]) for start in range(0, max(len(vectors), 1), ROWS))

    def _scores(self, vectors: Values) -> Values:
        scores, nearest = np.zeros(len(vectors)), np.zeros((len(vectors), len(self._members)))
        for band, rescaling in enumerate(self._bands):
            distances = self._distances(vectors, band)
            scores += rescaling(distances) / len(self._bands)
            nearest += self._nearest(distances) / len(self._bands)
        return scores if self.domains == TOGETHER else self._quantiles(scores, nearest)

    def _vectors(self, embeddings: Embeddings) -> Values:
        vectors = embeddings.bands(self.representation).astype(np.float64)
        if not np.isfinite(vectors).all():
            name = self.representation
            raise AsdError(f"backend band_memory: {name!r} is not finite for every clip: check the recordings")
        return vectors

    def _placed(self, vectors: Values) -> Values:
        """Return vectors of unit length for the cosine; otherwise around 0, so that distances keep their digits."""
        return vectors - self._centre if self.metric == "euclidean" else unit(vectors)

    def _others(self, band: int) -> Iterator[Values]:
        """Return the distances of one band among the training clips, infinite to themselves, in blocks of rows."""
        for start in range(0, len(self._memory), ROWS):
            distances = self._distances(self._memory[start : start + ROWS], band)
            np.fill_diagonal(distances[:, start:], np.inf)
            yield distances

    def _distances(self, vectors: Values, band: int) -> Values:
        """Return the distances (N, R) of one band to the training clips; the cosine with a null vector is 0."""
        ours, theirs = vectors[:, band], self._memory[:, band]
        products = ours @ theirs.T
        if self.metric == "cosine":
            return np.clip(0.5 * (1 - products), 0, 1)
        squares = (ours**2).sum(1)[:, None] + (theirs**2).sum(1)
        return np.sqrt(np.maximum(squares - 2 * products, 0))

    def _nearest(self, distances: Values) -> Values:
        """Return the distances (N, domains) to the nearest training clip of each domain."""
        return np.stack([distances[:, rows].min(1) for rows in self._members], axis=1)

    def _refuse_bad_arguments(self) -> None:
        for name, words in (("rescale", RESCALINGS), ("metric", METRICS), ("domains", (TOGETHER, *ASSIGNMENTS))):
            if getattr(self, name) not in words:
                raise AsdError(f"backend band_memory: {name} {getattr(self, name)!r}: use one of: {', '.join(words)}")
        if self.neighbours < 1 or self.shared < 0:
            given = f"neighbours {self.neighbours}, shared {self.shared}"
            raise AsdError(f"backend band_memory: {given}: use at least 1, and at least 0")
        if self.log and self.rescale == "ratio":
            raise AsdError("backend band_memory: log with ratio: use difference, the logarithm of the ratio")


def _joined(blocks: Iterable[Values]) -> Values:
    return np.concatenate(list(blocks))
