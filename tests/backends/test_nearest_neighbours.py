"""Distances to the nearest normal clips of either domain."""

import logging

import numpy as np
import pytest

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.errors import AsdError


def backend(neighbours: int = 5, **settings) -> NearestNeighbours:
    return NearestNeighbours("error", neighbours, **settings)


def embeddings(vectors, domains: list[str | None] | None = None) -> Embeddings:
    return Embeddings({"error": np.asarray(vectors, dtype=float)}, domains)


def two_domains(source: int = 40, target: int = 10, dimensions: int = 6) -> Embeddings:
    """Return source clips around 0, and target clips around 10 at three times the distance from each other."""
    rng = np.random.default_rng(0)
    vectors = [rng.normal(0, 1, (source, dimensions)), rng.normal(10, 3, (target, dimensions))]
    return embeddings(np.concatenate(vectors), ["source"] * source + ["target"] * target)


def mean_distance(point: np.ndarray, others: np.ndarray, neighbours: int) -> float:
    return float(np.sort(np.linalg.norm(others - point, axis=1))[:neighbours].mean())


def test_scores_are_the_definition_s() -> None:
    """The smallest D_d, normalised with the leave-one-out distances of its domain, computed in plain loops."""
    train, test = two_domains(target=3), np.random.default_rng(1).normal(np.linspace(0, 10, 30)[:, None], 0.8, (30, 6))
    vectors, domains = train["error"], np.array(train.domains)
    usual = {}
    for domain in ("source", "target"):
        members = vectors[domains == domain]
        left_out = [mean_distance(one, np.delete(members, i, 0), min(5, len(members) - 1)) for i, one in
                    enumerate(members)]  # fmt: skip
        usual[domain] = np.mean(left_out), np.std(left_out)
    expected = []
    for clip in test:
        distances = {d: mean_distance(clip, vectors[domains == d], 5) for d in usual}
        nearer = min(distances, key=distances.get)
        expected.append((distances[nearer] - usual[nearer][0]) / usual[nearer][1])
    np.testing.assert_allclose(backend().fit(train).anomaly_score(embeddings(test)), expected, rtol=1e-6)
    assert len({np.sign(score) for score in expected}) == 2


def test_the_nearer_domain_counts() -> None:
    fitted = backend(normalise=False).fit(two_domains())
    alone = [backend(normalise=False).fit(embeddings(two_domains()["error"][rows], ["x"] * count))
             for rows, count in ((slice(40), 40), (slice(40, 50), 10))]  # fmt: skip
    points = embeddings([[0.5] * 6, [9.0] * 6])
    source, target = (one.anomaly_score(points) for one in alone)
    assert fitted.anomaly_score(points).tolist() == [source[0], target[1]]
    assert source[0] < target[0]
    assert target[1] < source[1]


def test_normalising_before_the_minimum_may_choose_the_other_domain() -> None:
    """A clip between the domains is nearer to the source, but the target clips are as far from each other."""
    between = embeddings([[3.6] * 6])
    after = backend().fit(two_domains()).anomaly_score(between)[0]
    before = backend(normalise_before_min=True).fit(two_domains()).anomaly_score(between)[0]
    plain = backend(normalise=False).fit(two_domains()).anomaly_score(between)[0]
    fitted = backend().fit(two_domains())
    source, target = fitted.mean_
    assert target > 2 * source
    assert after == pytest.approx((plain - source) / fitted.deviation_[0])
    assert before < after


def test_a_training_clip_is_no_neighbour_of_its_own() -> None:
    fitted = backend(1, normalise=False).fit(two_domains())
    assert fitted.train_score_.min() > 0.1
    seen_again = fitted.anomaly_score(two_domains())
    np.testing.assert_allclose(seen_again, 0, atol=1e-6)


@pytest.mark.parametrize("normalise_before_min", [False, True])
def test_a_duplicate_of_a_training_clip_scores_below_the_median(normalise_before_min: bool) -> None:
    fitted = backend(normalise_before_min=normalise_before_min).fit(two_domains())
    again = fitted.anomaly_score(two_domains())
    assert (again < fitted.train_score_).all()
    assert np.median(again) < np.median(fitted.train_score_)
    central = np.argsort(np.linalg.norm(two_domains()["error"][:40], axis=1))[:20]
    assert (again[central] < np.median(fitted.train_score_)).all()


def test_normalised_training_scores_are_standard_in_each_domain() -> None:
    fitted = backend().fit(two_domains())
    for rows in (slice(40), slice(40, 50)):  # the domains are far apart: a clip's nearer domain is its own
        assert fitted.train_score_[rows].mean() == pytest.approx(0)
        assert fitted.train_score_[rows].std() == pytest.approx(1)


def test_a_domain_of_few_clips_uses_those_it_has() -> None:
    fitted = backend(normalise=False).fit(two_domains(target=3))
    members = two_domains(target=3)["error"][40:]
    point = np.full(6, 10.0)
    assert fitted.anomaly_score(embeddings([point]))[0] == pytest.approx(mean_distance(point, members, 3))


@pytest.mark.parametrize("target", [1, 2])
def test_a_domain_too_small_to_know_its_spread_is_normalised_as_all_clips(target: int, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        fitted = backend().fit(two_domains(target=target))
    assert f"{target} training clips of domain target" in caplog.text
    assert np.isfinite(fitted.train_score_).all()
    assert fitted.mean_[1] > 0
    assert fitted.deviation_[1] > 0.01
    assert np.isfinite(fitted.anomaly_score(embeddings([[10.0] * 6]))).all()


def test_clips_without_domains_are_one_domain() -> None:
    vectors = two_domains()["error"]
    without, named = embeddings(vectors, [None] * 50), embeddings(vectors, ["source"] * 50)
    test = embeddings(np.random.default_rng(1).normal(4, 4, (30, 6)))
    first, second = (backend().fit(train) for train in (without, named))
    assert first.anomaly_score(test).tolist() == second.anomaly_score(test).tolist()


def test_equal_clips_do_not_divide_by_zero() -> None:
    fitted = backend().fit(embeddings(np.ones((8, 3)), ["source"] * 8))
    assert np.isfinite(fitted.anomaly_score(embeddings([[1.0] * 3, [2.0] * 3]))).all()


def test_the_cosine_distance_ignores_length() -> None:
    train = embeddings([[1.0, 0.0], [0.9, 0.1], [1.0, 0.1]], ["source"] * 3)
    fitted = backend(1, metric="cosine", normalise=False).fit(train)
    near, far = fitted.anomaly_score(embeddings([[50.0, 0.0], [0.0, 0.2]]))
    assert near == pytest.approx(0, abs=1e-9)
    assert far > 0.8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neighbours": 0}, "neighbours is 0: use 1 or more"),
        ({"metric": "manhattan"}, "metric 'manhattan': use euclidean or cosine"),
        ({"normalise": False, "normalise_before_min": True}, "normalise_before_min without normalise"),
    ],
)
def test_bad_arguments_are_named(settings: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        backend(**settings).fit(two_domains())


def test_a_lone_clip_has_no_neighbour() -> None:
    with pytest.raises(AsdError, match="no domain has two training clips"):
        backend().fit(embeddings([[1.0], [2.0]], ["source", "target"]))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(AsdError, match="'error' is not finite"):
        backend().fit(embeddings([[1.0], [np.nan]], ["source", "source"]))


@pytest.mark.parametrize("sizes", [(40, 10), (12, 4), (8, 3), (8, 2), (8, 1), (3, 1), (9, 0)], ids=str)
@pytest.mark.parametrize("settings", [{"normalise_before_min": True}, {}, {"normalise": False}], ids=str)
def test_a_left_out_score_is_that_of_a_fit_to_the_other_clips(sizes: tuple[int, int], settings: dict) -> None:
    """Ten target clips have a far higher score where they do not belong to their own mean and deviation."""
    train = two_domains(*sizes)
    vectors, domains = train["error"], train.domains
    fitted = backend(**settings).fit(train)
    expected = []
    for row in range(len(vectors)):
        others = embeddings(np.delete(vectors, row, 0), domains[:row] + domains[row + 1 :])
        expected.append(backend(**settings).fit(others).anomaly_score(embeddings(vectors[row, None]))[0])
    np.testing.assert_allclose(fitted.left_out_score_, expected, rtol=1e-6)
    if sizes == (40, 10) and settings.get("normalise", True):
        assert fitted.left_out_score_[40:].max() > 1.2 * fitted.train_score_[40:].max()


def test_of_two_clips_neither_can_be_left_out_of_the_deviation() -> None:
    fitted = backend().fit(embeddings([[0.0], [1.0]], ["source", "source"]))
    assert fitted.left_out_score_.tolist() == fitted.train_score_.tolist()
