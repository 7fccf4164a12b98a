"""The scores of training clips by backends that have not seen them, which a fitted threshold needs.

Backends leave out single clips. Where clips are pieces of recordings (`prepare.longer: split`), the other pieces of a
clip's recording would remain, which sound nearly the same. Then whole recordings are left out.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from asdlib.backends.embeddings import Embeddings, names_of
from asdlib.errors import TooFewClipsError

PARTS = 10  # of the recordings, each of which is scored by a fit to the others
_log = logging.getLogger(__name__)


def left_out_scores(backend: Any, train: Embeddings, make: Callable[[], Any]) -> np.ndarray:
    """Return one score per training clip, (N,), by `backend`, which is fitted to them; `make` returns an unfitted one.

    A backend without `left_out_score_` scores a training clip like any other. `model_leaves_out` says what a network
    leaves out in its place: recordings, or only clips, also if they are pieces. A backend that leaves clips out by many
    fits has `fit_known`, a single one.
    """
    own = getattr(backend, "left_out_score_", backend.train_score_)
    recordings = train.recordings or []
    names = set(recordings)
    if not hasattr(backend, "left_out_score_") or len(names) == len(recordings):
        return own
    by_model = getattr(backend, "model_leaves_out", None)
    if by_model == "recordings" and len(names) > 1:
        return own
    if by_model is None and len(names) > 1:
        try:
            return _by_recordings(train, make)
        except TooFewClipsError as error:
            _log.warning("no recording can be left out as a whole: %s", error)
    _log.warning(
        "the %d training clips are pieces of %d recordings, and single pieces are left out for the threshold: it is "
        "too low, because the other pieces of their recordings are known",
        len(recordings), len(names),
    )  # fmt: skip
    return own


def _by_recordings(train: Embeddings, make: Callable[[], Any]) -> np.ndarray:
    parts = _parts(train)
    scores = np.empty(len(parts))
    for part in range(parts.max() + 1):
        out = parts == part
        with _quiet():  # each fit would say again what the one to all clips has said
            backend = make()
            fitted = getattr(backend, "fit_known", backend.fit)(train.part(~out))
            scores[out] = fitted.anomaly_score(train.part(out))
    return scores


def _parts(train: Embeddings) -> np.ndarray:
    """Return the part of each clip, (N,): the recordings of every domain in turn, each as a whole."""
    domains, recordings = names_of(train.domains), np.array(train.recordings)
    parts = np.empty(len(domains), dtype=np.int64)
    first = 0
    for domain in np.unique(domains):
        rows = np.flatnonzero(domains == domain)
        place = np.unique(recordings[rows], return_inverse=True)[1]
        parts[rows] = (first + place) % PARTS
        first += place.max() + 1
    return np.unique(parts, return_inverse=True)[1]


@contextmanager
def _quiet() -> Iterator[None]:
    backends = logging.getLogger("asdlib.backends")
    before = backends.level
    backends.setLevel(logging.ERROR)
    try:
        yield
    finally:
        backends.setLevel(before)
