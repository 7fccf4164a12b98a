"""Nearest neighbours in three views: scales, whitening, local distances, and scores of clips that are left out."""

import re
import tracemalloc

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from asdlib.backends import scaling
from asdlib.backends.embeddings import Embeddings
from asdlib.backends.local_distance import LocalDistance
from asdlib.backends.neighbour_views import NeighbourViews
from asdlib.backends.scaling import GroupScale, ResidualWhitening, nearest, smallest
from asdlib.backends.thresholds import left_out_quantile
from asdlib.errors import AsdError, TooFewClipsError


def drawn(count: int, seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).standard_normal((24, 24))
    parts = {"s": rng.standard_normal((count, 24)) @ mixing, "m": rng.standard_normal((count, 24)) @ mixing}
    return Embeddings(parts, ["source"] * (count - count // 5) + ["target"] * (count // 5))


def fitted(train: Embeddings, **arguments: int) -> NeighbourViews:
    return NeighbourViews("s", "m", bands=6, **arguments).fit(train)


def test_blocks_of_distances_change_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a block of one vector, the last one, whose own distance is at another place."""
    found = []
    for rows in (7, 60, 1000):
        monkeypatch.setattr(scaling, "ROWS", rows)
        backend = fitted(drawn(61))
        found.append([backend.train_score_, backend.left_out_score_, backend.anomaly_score(drawn(61, seed=1))])
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_the_distances_of_all_pairs_are_never_in_memory() -> None:
    vectors = np.random.default_rng(0).standard_normal((3000, 2))
    all_pairs = 8 * len(vectors) ** 2
    tracemalloc.start()
    whitened = ResidualWhitening(16).fit(vectors)(vectors)
    backend = LocalDistance(4, 5.0).fit(whitened, ["source"] * 3000)
    backend.anomaly_score(vectors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < all_pairs / 2


def test_a_value_that_hardly_varies_does_not_outweigh_the_others() -> None:
    values = np.random.default_rng(0).standard_normal((50, 1, 3)) * [1.0, 1.0, 1e-6]
    scaled = GroupScale(0.1).fit(values)(values)
    assert scaled.std(0) == pytest.approx([1, 1, 1e-5], rel=0.5)


def test_differences_between_neighbours_become_white() -> None:
    """Five states of a machine, far apart: their distances have no part in the scale."""
    rng = np.random.default_rng(0)
    states = np.repeat(1000 * rng.standard_normal((5, 3)), 100, axis=0)
    vectors = states + rng.standard_normal((500, 3)) * [5.0, 10.0, 20.0]
    whitened = ResidualWhitening(99).fit(vectors)(vectors).reshape(5, 100, 3)
    within = (whitened - whitened.mean(1, keepdims=True)).reshape(500, 3)
    np.testing.assert_allclose(np.cov(within.T), np.eye(3), atol=0.1)


def test_a_distance_is_measured_in_units_of_how_far_clips_lie_apart_there() -> None:
    """Two groups of normal clips, one ten times as wide: the same distance to both counts more at the narrow one."""
    narrow = np.random.default_rng(0).standard_normal((30, 2))
    wide = 100 + 10 * np.random.default_rng(1).standard_normal((30, 2))
    backend = LocalDistance(4, 5.0).fit(np.concatenate([narrow, wide]), ["source"] * 60)
    near_narrow, near_wide = backend.anomaly_score(np.array([[-8.0, -8.0], [130.0, 130.0]]))
    assert near_narrow > near_wide


def test_more_neighbours_than_clips_are_all_others() -> None:
    """Local distances in plain loops, and whitening, where residuals are offsets from the mean of the others."""
    vectors = np.random.default_rng(0).standard_normal((6, 2))
    between = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    relative = between / (between.sum(1) / 5) + np.diag(np.full(6, np.inf))
    lowest = relative.min(1)
    expected = (lowest - lowest.mean()) / lowest.std()
    np.testing.assert_allclose(LocalDistance(99, 5.0).fit(vectors, ["source"] * 6).train_score_, expected)
    covariance, _ = ledoit_wolf((vectors - vectors.mean(0)) * 6 / 5, assume_centered=True)
    white = ResidualWhitening(99).fit(vectors)(np.eye(2))
    np.testing.assert_allclose(white.T @ covariance @ white, np.eye(2), atol=1e-9)


def test_the_score_is_the_smallest_offset_from_what_is_usual_in_a_domain() -> None:
    """Eight source and three target clips, and two new ones, in plain loops."""
    clips = np.random.default_rng(0).standard_normal((13, 2)) + np.repeat([[0.0], [9.0], [4.0]], [8, 3, 2], axis=0)
    domains = {"source": range(8), "target": range(8, 11)}
    between = np.linalg.norm(clips[:, None] - clips[None], axis=2) + np.diag(np.full(13, np.inf))
    reach = np.sort(between[:11, :11], axis=1)[:, :2].mean(1)
    nearest = {name: (between[:, rows] / reach[rows]).min(1) for name, rows in domains.items()}
    usual = {"source": nearest["source"][:8].mean()}
    usual["target"] = (nearest["target"][8:11].sum() + 5 * usual["source"]) / (3 + 5)
    scores = np.minimum(*(nearest[name] - usual[name] for name in domains))
    expected = (scores - scores[:11].mean()) / scores[:11].std()
    backend = LocalDistance(2, 5.0).fit(clips[:11], ["source"] * 8 + ["target"] * 3)
    np.testing.assert_allclose(backend.train_score_, expected[:11])
    np.testing.assert_allclose(backend.anomaly_score(clips[11:]), expected[11:])


@pytest.mark.parametrize("count", [1, 4, 299, 300])
def test_the_smallest_distances_are_in_order(count: int) -> None:
    distances = np.random.default_rng(0).standard_normal((20, 300))
    np.testing.assert_array_equal(nearest(distances, count), distances.argsort(1)[:, :count])
    np.testing.assert_array_equal(smallest(distances, count), np.sort(distances, axis=1)[:, :count])


def test_where_all_training_clips_are_equal_another_scores_higher() -> None:
    backend = LocalDistance(4, 5.0).fit(np.ones((6, 2)), ["source"] * 6)
    same, other = backend.anomaly_score(np.array([[1.0, 1.0], [1.0, 2.0]]))
    assert same == 0 < other


def test_few_target_clips_move_the_usual_distance_of_their_domain_only_in_part() -> None:
    source = np.random.default_rng(0).standard_normal((100, 2))
    target = np.array([[50.0, 50.0], [53.0, 50.0]])
    domains = ["source"] * 100 + ["target"] * 2
    usual = [
        LocalDistance(1, shrinkage).fit(np.concatenate([source, target]), domains)._usual["target"]
        for shrinkage in (0.0, 5.0, 1e9)
    ]
    general = LocalDistance(1, 5.0).fit(np.concatenate([source, target]), domains)._usual["source"]
    assert usual[0] == pytest.approx(1), "each is the other's neighbour"
    assert general > 1.01
    assert usual[1] == pytest.approx((2 * usual[0] + 5 * general) / 7)
    assert usual[2] == pytest.approx(general)


def test_a_left_out_score_is_that_of_a_fit_to_the_other_clips() -> None:
    train = drawn(12)
    without = np.arange(12) != 3
    others = Embeddings(
        {name: train[name][without] for name in ("s", "m")}, [train.domains[i] for i in np.flatnonzero(without)]
    )
    alone = Embeddings({name: train[name][3:4] for name in ("s", "m")})
    assert fitted(train).left_out_score_[3] == pytest.approx(fitted(others).anomaly_score(alone)[0])


@pytest.mark.parametrize("count", [30, 120])
def test_a_threshold_from_left_out_scores_keeps_its_promise_and_one_from_the_others_does_not(count: int) -> None:
    """Whitening adapts to the clips that it has seen: their own distances are too small."""
    train, new = drawn(count), drawn(300, seed=5)
    backend = fitted(train)
    scores = backend.anomaly_score(new)
    alarms = [
        (scores > left_out_quantile(one, train.domains, 0.9)[0]).mean()
        for one in (backend.left_out_score_, backend.train_score_)
    ]
    assert alarms[0] < 0.2
    assert alarms[0] < alarms[1]


def test_recordings_of_one_domain_or_of_none_are_scored() -> None:
    train = drawn(12)
    for domain in ("source", None):
        backend = fitted(Embeddings(train.representations, [domain] * 12))
        assert np.isfinite([*backend.left_out_score_, *backend.anomaly_score(drawn(5, seed=2))]).all()


@pytest.mark.parametrize(
    ("domains", "enough"), [("ssss", True), ("ssstt", False), ("sssttt", True), ("sst", False), ("tttt", True)]
)
def test_the_least_number_of_clips(domains: str, enough: bool) -> None:
    """Whichever clip is left out, three of one domain remain."""
    train = Embeddings(drawn(len(domains)).representations, list(domains))
    if enough:
        assert np.isfinite(fitted(train).left_out_score_).all()
        return
    with pytest.raises(TooFewClipsError, match="no domain has four training clips: add training clips"):
        fitted(train)


# arguments: the message
REFUSED = {
    "no neighbour": ({"neighbours": 0}, "neighbours is 0: use 1 or more"),
    "wider than all bands": ({"window": 7}, "window is 7: use at most the 6 bands"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_odd_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(AsdError, match=re.escape(message)):
        fitted(drawn(12), **arguments)


def test_one_of_everything_is_enough() -> None:
    ones = dict.fromkeys(("neighbours", "whitening_neighbours", "window", "step", "strangest"), 1)
    assert np.isfinite(fitted(drawn(12), **ones).left_out_score_).all()


def test_what_does_not_fit_the_bands_or_is_not_finite_is_refused() -> None:
    with pytest.raises(AsdError, match="bands is 5: 24 statistics are no multiple of it"):
        NeighbourViews("s", "m", bands=5).fit(drawn(12))
    broken = drawn(12)
    broken["m"][0, 0] = np.nan
    with pytest.raises(AsdError, match="'m' is not finite for every clip: check the recordings"):
        fitted(broken)
