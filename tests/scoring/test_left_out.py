"""Thresholds where clips are pieces of recordings: whole recordings are left out, not single pieces."""

import logging

import numpy as np
import pytest

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import Embeddings
from asdlib.backends.thresholds import left_out_quantile
from asdlib.scoring.left_out import PARTS, left_out_scores

PIECES = 6
BACKEND_SETTINGS = {
    "nearest_neighbours": {"representation": "embedding"},
    "band_memory": {"representation": "embedding"},
    "prototypes": {"representation": "embedding", "centroids": 4},
    "minimum_covering_volume": {"representation": "embedding"},
    "topic_mixture": {"representation": "embedding", "dimensions": 4, "components": 2},
    "neighbour_views": {"statistics": "statistics", "modulation": "modulation", "bands": 8},
}


def recordings(count: int, pieces: int = PIECES, seed: int = 0) -> Embeddings:
    """Return clips of recordings, each of which has a sound of its own that all of its pieces share."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, 16)) + 3
    values = np.repeat(own, pieces, axis=0) + 0.01 * rng.normal(size=(count * pieces, 16))
    names = [f"{seed}/{number}" for number in range(count) for _ in range(pieces)]
    found = {"embedding": values, "statistics": values, "modulation": values[:, :4]}
    return Embeddings(found, ["source"] * len(values), [{}] * len(values), {}, names)


@pytest.mark.parametrize("kind", BACKEND_SETTINGS)
def test_a_threshold_lets_new_recordings_pass_and_one_of_single_pieces_does_not(kind: str) -> None:
    def make():
        return BACKENDS[kind](**BACKEND_SETTINGS[kind])

    train, new = recordings(20), recordings(40, seed=1)
    backend = make().fit(train)
    scores = backend.anomaly_score(Embeddings(new.representations))
    alarms = []
    for left_out in (left_out_scores(backend, train, make), backend.left_out_score_):
        alarms.append((scores > left_out_quantile(left_out, train.domains, 0.9)[0]).mean())
    by_recording, by_piece = alarms
    assert by_recording < 0.35
    assert by_piece > by_recording
    if kind in ("nearest_neighbours", "band_memory", "neighbour_views"):  # pieces are each other's neighbours
        assert by_piece > 0.9


def test_every_backend_that_leaves_clips_out_is_tested() -> None:
    train = recordings(20)
    for kind in BACKENDS:
        if kind not in BACKEND_SETTINGS:
            assert kind in ("density_softmax", "evolving_mixture", "reconstruction_error", "smallest_distance"), kind
    assert BACKENDS["smallest_distance"].model_leaves_out == "recordings"
    assert BACKENDS["density_softmax"].model_leaves_out == "clips"
    assert len(set(train.recordings)) == 20


def test_recordings_stay_whole_and_every_domain_is_in_every_fit() -> None:
    train = recordings(30, pieces=2)
    domains = ["target" if int(name.partition("/")[2]) < 5 else "source" for name in train.recordings]
    train = Embeddings(train.representations, domains, train.attributes, {}, train.recordings)
    fits = []

    class Spy:
        left_out_score_ = train_score_ = np.zeros(60)

        def fit(self, part: Embeddings) -> "Spy":
            fits.append(part)
            return self

        def anomaly_score(self, part: Embeddings) -> np.ndarray:
            assert not set(part.recordings) & set(fits[-1].recordings)
            assert {"source", "target"} == set(fits[-1].domains)
            assert len(set(part.recordings)) == 30 // PARTS, "the same number in every part"
            return np.arange(len(part.recordings), dtype=float)

    left_out_scores(Spy(), train, Spy)
    assert len(fits) == PARTS


def test_clips_that_are_no_pieces_are_left_out_by_the_backend_itself() -> None:
    train = recordings(20, pieces=1)
    backend = BACKENDS["nearest_neighbours"]("embedding").fit(train)
    assert left_out_scores(backend, train, pytest.fail) is backend.left_out_score_


@pytest.mark.parametrize(("count", "pieces", "said"), [(1, 6, []), (2, 2, ["no recording can be left out as a whole"])])
def test_too_few_recordings_are_said(count: int, pieces: int, said: list[str], caplog) -> None:
    train, settings = recordings(count, pieces), BACKEND_SETTINGS["neighbour_views"]
    backend = BACKENDS["neighbour_views"](**settings).fit(train)
    with caplog.at_level(logging.WARNING):
        found = left_out_scores(backend, train, lambda: BACKENDS["neighbour_views"](**settings))
    assert found is backend.left_out_score_
    *first, last = caplog.messages
    assert [line.partition(":")[0] for line in first] == said
    assert last.startswith(f"the {len(train.recordings)} training clips are pieces of {count} recordings")


@pytest.mark.parametrize(
    ("leaves_out", "count", "is_said"), [("recordings", 20, False), ("recordings", 1, True), ("clips", 20, True)]
)
def test_what_a_model_leaves_out_in_place_of_the_backend(leaves_out: str, count: int, is_said: bool, caplog) -> None:
    train = recordings(count)

    class OfModel:
        model_leaves_out = leaves_out
        left_out_score_ = train_score_ = np.zeros(len(train.recordings))

    with caplog.at_level(logging.WARNING):
        assert left_out_scores(OfModel(), train, pytest.fail) is OfModel.left_out_score_
    pieces = f"the {6 * count} training clips are pieces of {count} recordings"
    assert [line.partition(":")[0] for line in caplog.messages] == [
        f"{pieces}, and single pieces are left out for the threshold"
    ] * is_said


@pytest.mark.parametrize("kind", [kind for kind in BACKEND_SETTINGS if hasattr(BACKENDS[kind], "fit_known")])
def test_a_single_fit_scores_as_the_whole_one(kind: str) -> None:
    """Of a topic mixture, with the clips that its `fit` holds out for its own threshold."""
    settings = BACKEND_SETTINGS[kind] | ({"threshold_share": 0.01} if kind == "topic_mixture" else {})
    train, new = recordings(20), recordings(5, seed=1)
    whole, single = BACKENDS[kind](**settings).fit(train), BACKENDS[kind](**settings).fit_known(train)
    assert not hasattr(single, "left_out_score_")
    found = [backend.anomaly_score(new) for backend in (whole, single)]
    if kind == "neighbour_views":
        np.testing.assert_array_equal(*found)
    else:
        assert np.corrcoef(*found)[0, 1] > 0.99
