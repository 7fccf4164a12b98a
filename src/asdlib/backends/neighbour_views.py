"""Nearest normal neighbours in three views of a clip's statistics, averaged (docs/neighbours.md, Scores)."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings, names_of
from asdlib.backends.local_distance import LocalDistance, Scores, Standard
from asdlib.backends.scaling import GroupScale, ResidualWhitening, Vectors
from asdlib.errors import AsdError, TooFewClipsError

ENOUGH = 3  # clips of a domain: the distances of two clips to each other are equal and have no spread
PARTS = 10  # of the training clips, each of which is scored by a fit to the others
ALONE = 50  # up to as many clips, each of them is a part


class NeighbourViews:
    """The mean of three standardised scores: of whitened statistics, of single bands, and of the whitened modulation.

    `statistics` names a representation with some statistics of each of `bands` frequency bands, statistic by statistic;
    `modulation` names another one. A view standardises its values (`GroupScale`, with `scale_floor`), whitens them if
    it is one of the two whitened ones (`ResidualWhitening`, with `whitening_neighbours`) and scores them by
    `LocalDistance`, with `neighbours` and `shrinkage`. The view of bands has a score for every window of `window`
    neighbouring bands, at a distance of `step`; the mean of the `strangest` windows counts, standardised by that of the
    training clips.

    Attributes after `fit`: `train_score_` (N,), the scores of the training clips; a clip is not its own neighbour, but
    scales and whitening have seen it. `left_out_score_` (N,), their scores by fits to other clips.
    """

    def __init__(
        self,
        statistics: str,
        modulation: str,
        bands: int,
        neighbours: int = 4,
        shrinkage: float = 5.0,
        whitening_neighbours: int = 16,
        scale_floor: float = 0.1,
        window: int = 4,
        step: int = 2,
        strangest: int = 3,
    ):
        self.statistics = statistics
        self.modulation = modulation
        self.bands = bands
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.whitening_neighbours = whitening_neighbours
        self.scale_floor = scale_floor
        self.window = window
        self.step = step
        self.strangest = strangest

    def fit(self, train: Embeddings) -> Self:
        """Store the training clips in all views.

        Raises TooFewClipsError for too few clips, and AsdError if a representation is not finite.
        """
        self.refuse(train.domains)
        self._refuse_bad_arguments()
        values, domains = self._values(train), names_of(train.domains)
        parts = _parts(domains)
        self.left_out_score_ = np.empty(len(domains))
        for part in range(parts.max() + 1):
            out = parts == part
            self._fit([one[~out] for one in values], domains[~out])
            self.left_out_score_[out] = self._score([one[out] for one in values])
        self._fit(values, domains)
        return self

    def fit_known(self, train: Embeddings) -> Self:
        """As `fit`, without `left_out_score_`, which takes most of the time (asdlib.scoring.left_out)."""
        self.refuse(train.domains)
        self._fit(self._values(train), names_of(train.domains))
        return self

    def _fit(self, values: Sequence[Vectors], domains: np.ndarray) -> None:
        statistics, modulation = values
        starts = range(0, self.bands - self.window + 1, self.step)
        self._whole = self._view(True).fit(statistics, domains)
        self._windows = {start: self._view(False).fit(self._cut(statistics, start), domains) for start in starts}
        self._modulation = self._view(True).fit(modulation, domains)
        highest = self._highest([view.train_score_ for view in self._windows.values()])
        self._scale = Standard().fit(highest)
        views = (self._whole.train_score_, self._scale(highest), self._modulation.train_score_)
        self.train_score_ = np.mean(views, axis=0)

    @staticmethod
    def refuse(domains: Sequence[str | None]) -> None:
        """Raise TooFewClipsError unless a domain has three training clips, whichever clip is left out."""
        counts = sorted(Counter(domains).values())[-2:]
        if counts[-1] <= ENOUGH and counts != [ENOUGH, ENOUGH]:
            raise TooFewClipsError("backend neighbour_views: no domain has four training clips: add training clips")

    def anomaly_score(self, test: Embeddings) -> Scores:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        return self._score(self._values(test))

    def _score(self, values: Sequence[Vectors]) -> Scores:
        statistics, modulation = values
        windows = [view.anomaly_score(self._cut(statistics, start)) for start, view in self._windows.items()]
        views = (
            self._whole.anomaly_score(statistics),
            self._scale(self._highest(windows)),
            self._modulation.anomaly_score(modulation),
        )
        return np.mean(views, axis=0)

    def _view(self, whitened: bool) -> "_View":
        whitening = ResidualWhitening(self.whitening_neighbours) if whitened else None
        return _View(GroupScale(self.scale_floor), whitening, LocalDistance(self.neighbours, self.shrinkage))

    def _values(self, embeddings: Embeddings) -> tuple[Vectors, Vectors]:
        """Return the statistics (N, statistics, bands) and the modulation (N, 1, values)."""
        for name in (self.statistics, self.modulation):
            if not np.isfinite(embeddings[name]).all():
                raise AsdError(f"backend neighbour_views: {name!r} is not finite for every clip: check the recordings")
        statistics = embeddings[self.statistics].astype(np.float64)
        if statistics.shape[1] % self.bands:
            width = statistics.shape[1]
            raise AsdError(f"backend neighbour_views: bands is {self.bands}: {width} statistics are no multiple of it")
        modulation = embeddings[self.modulation].astype(np.float64)
        return statistics.reshape(len(statistics), -1, self.bands), modulation[:, None]

    def _cut(self, statistics: Vectors, start: int) -> Vectors:
        return statistics[:, :, start : start + self.window]

    def _highest(self, windows: list[Scores]) -> Scores:
        """Return the mean of the highest scores of each clip, from those of all windows."""
        return np.sort(windows, axis=0)[-self.strangest :].mean(0)

    def _refuse_bad_arguments(self) -> None:
        for name in ("bands", "neighbours", "whitening_neighbours", "window", "step", "strangest"):
            if getattr(self, name) < 1:
                raise AsdError(f"backend neighbour_views: {name} is {getattr(self, name)}: use 1 or more")
        if self.window > self.bands:
            raise AsdError(f"backend neighbour_views: window is {self.window}: use at most the {self.bands} bands")


class _View:
    """Values that are scaled, whitened if there is a whitening, and scored by their nearest neighbours."""

    def __init__(self, scale: GroupScale, whitening: ResidualWhitening | None, distance: LocalDistance):
        self._scale = scale
        self._whitening = whitening
        self._distance = distance

    def fit(self, values: Vectors, domains: Sequence[str | None]) -> Self:
        vectors = self._scale.fit(values)(values)
        if self._whitening:
            vectors = self._whitening.fit(vectors)(vectors)
        self.train_score_ = self._distance.fit(vectors, domains).train_score_
        return self

    def anomaly_score(self, values: Vectors) -> Scores:
        vectors = self._scale(values)
        return self._distance.anomaly_score(self._whitening(vectors) if self._whitening else vectors)


def _parts(domains: np.ndarray) -> np.ndarray:
    """Return the part of each clip, (N,): the clips of every domain, in their order, in turn."""
    if len(domains) <= ALONE:
        return np.arange(len(domains))
    parts = np.empty(len(domains), dtype=np.int64)
    for domain in np.unique(domains):
        rows = np.flatnonzero(domains == domain)
        parts[rows] = np.arange(len(rows)) % PARTS
    return parts
