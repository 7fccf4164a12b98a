"""Distances band by band, rescaled by density: known values, definitions in plain loops, and left-out scores."""

import numpy as np
import pytest

from asdlib.backends import band_memory
from asdlib.backends.band_memory import BandMemory
from asdlib.backends.embeddings import Embeddings
from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.errors import AsdError, TooFewClipsError


def embeddings(vectors, domains: list[str | None] | None = None) -> Embeddings:
    vectors = np.asarray(vectors, dtype=float)
    return Embeddings({"rows": vectors}, domains or [None] * len(vectors))


def backend(**settings) -> BandMemory:
    return BandMemory("rows", **settings)


def angles(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def clips(count: int = 12, bands: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 0.6, (count, bands, 5))


MEMORY = angles(0, 10, 24, 30, 70)
QUERY = embeddings(angles(50))


def test_known_values_of_one_band() -> None:
    """Unit vectors at five angles with two neighbours; a query at 50 degrees."""
    fitted = backend(neighbours=2).fit(embeddings(MEMORY))
    expected = [0.025412, 0.011224, 0.008796, 0.016446, 0.134824]
    np.testing.assert_allclose(fitted._bands[0].density_, expected, atol=1e-6)
    assert fitted.alpha_ == pytest.approx([0.70530], abs=1e-5)
    assert fitted.anomaly_score(QUERY) == pytest.approx([-0.064937], abs=1e-6)
    for rescale, score in (("none", 0.030154), ("ratio", 0.22365), ("difference", -0.104671)):
        found = backend(neighbours=2, rescale=rescale).fit(embeddings(MEMORY)).anomaly_score(QUERY)
        assert found == pytest.approx([score], abs=1e-5)


def test_isolated_clips_make_alpha_wild() -> None:
    assert backend(neighbours=1).fit(embeddings(MEMORY)).alpha_ == pytest.approx([-6.84], abs=0.005)


def test_alpha_and_its_log_say_so(caplog) -> None:
    caplog.set_level("INFO")
    backend(neighbours=1).fit(embeddings(MEMORY))
    assert "rows: alpha [-6.8" in caplog.text


def test_the_logarithm_of_the_ratio_is_the_difference_of_logarithms() -> None:
    single, test = embeddings(clips(bands=1)), embeddings(clips(bands=1, seed=1))
    for metric in ("cosine", "euclidean"):
        ratio = backend(neighbours=1, rescale="ratio", metric=metric).fit(single).anomaly_score(test)
        logarithm = backend(neighbours=1, rescale="difference", log=True, metric=metric).fit(single).anomaly_score(test)
        np.testing.assert_allclose(logarithm, np.log(ratio), rtol=1e-9)


def test_variance_in_logarithms_is_the_definition_s() -> None:
    """min over y of log D − α log b, α = Cov(u, v) / Var(v), in plain loops."""
    train, test = clips(bands=1)[:, 0], clips(4, 1, seed=1)[:, 0]
    between = np.linalg.norm(train[:, None] - train[None], axis=2) + np.diag(np.full(12, np.inf))
    density = np.sort(between, axis=1)[:, 0]
    u, v = np.log(between.min(1)), np.log(density[between.argmin(1)])
    alpha = np.cov(u, v, bias=True)[0, 1] / v.var()
    expected = [min(np.log(np.linalg.norm(x - y)) - alpha * np.log(b) for y, b in zip(train, density, strict=True))
                for x in test]  # fmt: skip
    fitted = backend(neighbours=1, log=True, metric="euclidean").fit(embeddings(train))
    assert fitted.alpha_ == pytest.approx([alpha])
    np.testing.assert_allclose(fitted.anomaly_score(embeddings(test)), expected, rtol=1e-9)


def test_alpha_makes_the_variance_of_normal_scores_smallest() -> None:
    train = embeddings(clips(60, 1))
    fitted = backend().fit(train)
    band = fitted._bands[0]
    distances = fitted._distances(fitted._memory, 0) + np.diag(np.full(60, np.inf))
    u, v = distances.min(1), band.density_[distances.argmin(1)]
    variances = [(u - alpha * v).var() for alpha in (band.alpha_, band.alpha_ - 0.05, band.alpha_ + 0.05, 0.0)]
    assert min(variances) == variances[0]


def test_every_band_has_its_own_neighbour() -> None:
    """Two clips match one band each: no distance at all, though neither clip as a whole is near."""
    first, second = clips(2)
    query = np.concatenate([first[:1], second[1:]])[None]
    fitted = backend(rescale="none").fit(embeddings(np.stack([first, second])))
    assert fitted.anomaly_score(embeddings(query)) == pytest.approx([0], abs=1e-12)
    cosines = [[(x @ y) / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(query[0], clip, strict=True)]
               for clip in (first, second)]  # fmt: skip
    assert min(np.mean(0.5 * (1 - np.array(cosines)), axis=1)) > 0.01


def test_one_vector_is_one_band() -> None:
    train, test = clips(bands=1), clips(5, 1, seed=1)
    as_vectors = backend().fit(embeddings(train[:, 0])).anomaly_score(embeddings(test[:, 0]))
    assert backend().fit(embeddings(train)).anomaly_score(embeddings(test)).tolist() == as_vectors.tolist()


def test_the_same_bands_twice_change_nothing() -> None:
    train, test, domains = clips(), clips(5, seed=1), ["source", "target"] * 6
    once, twice = (backend(domains="soft").fit(embeddings(np.tile(train, (1, times, 1)), domains)) for times in (1, 2))
    scores = once.anomaly_score(embeddings(test)), twice.anomaly_score(embeddings(np.tile(test, (1, 2, 1))))
    np.testing.assert_allclose(*scores, rtol=1e-9)
    np.testing.assert_allclose(once.left_out_score_, twice.left_out_score_, rtol=1e-9)


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1.0, 1e6)], ids=["unit", "origin"])
@pytest.mark.parametrize("settings", [{"rescale": "ratio"}, {"rescale": "difference", "log": True}], ids=str)
def test_the_unit_and_the_origin_of_vectors_do_not_matter(settings: dict, scale: float, offset: float) -> None:
    train, test = clips(), clips(5, seed=1)
    usual = backend(metric="euclidean", **settings).fit(embeddings(train))
    other = backend(metric="euclidean", **settings).fit(embeddings(scale * train + offset))
    expected = usual.anomaly_score(embeddings(test))
    np.testing.assert_allclose(other.anomaly_score(embeddings(scale * test + offset)), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_without_rescaling_it_is_the_nearest_neighbour(metric: str) -> None:
    train, test = clips(bands=1)[:, 0], embeddings(clips(5, 1, seed=1)[:, 0])
    ours = backend(rescale="none", metric=metric).fit(embeddings(train))
    theirs = NearestNeighbours("rows", metric=metric, normalise=False).fit(embeddings(train))
    half = 0.5 if metric == "cosine" else 1.0
    np.testing.assert_allclose(ours.anomaly_score(test), half * theirs.anomaly_score(test), rtol=1e-9)
    np.testing.assert_allclose(ours.train_score_, half * theirs.train_score_, rtol=1e-9)


def test_equal_densities_give_the_raw_scores() -> None:
    square = angles(0, 90, 180, 270)
    fitted = backend(neighbours=2).fit(embeddings(square))
    assert fitted.alpha_.tolist() == [0.0]
    raw = backend(neighbours=2, rescale="none").fit(embeddings(square))
    assert fitted.anomaly_score(QUERY).tolist() == raw.anomaly_score(QUERY).tolist()


def test_more_neighbours_than_clips_are_all_others() -> None:
    few, many = (backend(neighbours=count).fit(embeddings(MEMORY)) for count in (4, 99))
    assert few.anomaly_score(QUERY).tolist() == many.anomaly_score(QUERY).tolist()


SETTINGS = [
    {"rescale": rescale, "log": log, "metric": metric, "neighbours": count}
    for rescale in ("none", "ratio", "difference")
    for log in (False, True)
    for metric in ("cosine", "euclidean")
    for count in (1, 3, 30)
    if not (log and rescale == "ratio")
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_left_out_scores_are_those_of_a_memory_without_the_clip(settings: dict) -> None:
    train = clips()
    fitted = backend(**settings).fit(embeddings(train))
    for row in (0, 5, 11):
        without = backend(**settings).fit(embeddings(np.delete(train, row, 0)))
        expected = without.anomaly_score(embeddings(train[row : row + 1]))
        assert fitted.left_out_score_[row] == pytest.approx(expected[0], rel=1e-6)


@pytest.mark.parametrize("settings", [*SETTINGS, {"domains": "soft"}], ids=str)
def test_in_blocks_of_rows_the_scores_are_the_same(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = embeddings(clips(), ["source", "target"] * 6), embeddings(clips(9, seed=1))
    whole = backend(**settings).fit(train)
    expected = whole.anomaly_score(test)
    monkeypatch.setattr(band_memory, "ROWS", 5)
    fitted = backend(**settings).fit(train)
    np.testing.assert_allclose(fitted.anomaly_score(test), expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.train_score_, whole.train_score_, rtol=1e-12)
    np.testing.assert_allclose(fitted.left_out_score_, whole.left_out_score_, rtol=1e-12)


def test_training_scores_keep_the_densities_and_alpha_of_the_whole_memory() -> None:
    train = clips()
    fitted = backend().fit(embeddings(train))
    for row in range(3):
        without = backend().fit(embeddings(np.delete(train, row, 0)))
        for own, whole in zip(without._bands, fitted._bands, strict=True):
            own.density_, own.alpha_ = np.delete(whole.density_, row), whole.alpha_
        expected = without.anomaly_score(embeddings(train[row : row + 1]))
        assert fitted.train_score_[row] == pytest.approx(expected[0], rel=1e-9)


def test_copies_of_a_recording_do_not_divide_by_zero() -> None:
    train = np.concatenate([clips(), clips()[:2]])
    for settings in SETTINGS:
        fitted = backend(**settings).fit(embeddings(train))
        scores = [fitted.train_score_, fitted.left_out_score_, fitted.anomaly_score(embeddings(train))]
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_where_most_clips_have_a_copy_it_does_not_decide_everything(metric: str) -> None:
    """The distances of copies are 0 or rounding: in logarithms, they differ by hundreds of times the usual."""
    train = np.concatenate([clips(), clips()[:10]])
    fitted = backend(neighbours=1, log=True, metric=metric).fit(embeddings(train))
    usual = backend(neighbours=1, log=True, metric=metric).fit(embeddings(clips()))
    for band, without_copies in zip(fitted._bands, usual._bands, strict=True):
        assert 0.1 < band._floor / without_copies._floor < 10
    assert fitted.left_out_score_.min() > -20


def test_a_null_vector_is_at_right_angles_to_all() -> None:
    fitted = backend(rescale="none").fit(embeddings(MEMORY))
    assert fitted.anomaly_score(embeddings(np.zeros((1, 2)))).tolist() == [0.5]


@pytest.mark.parametrize("domains", ["soft", "hard"])
def test_scores_calibrated_by_domain_are_quantiles(domains: str) -> None:
    """A clip at a usual distance from the wide target domain scores below one as far from the narrow source domain."""
    rng = np.random.default_rng(0)
    source, target = rng.normal([5, 0, 0, 0], 0.1, (40, 4)), rng.normal([0, 9, 0, 0], 1.0, (12, 4))
    train = embeddings(np.concatenate([source, target]), ["source"] * 40 + ["target"] * 12)
    test = embeddings([[5, 0.8, 0, 0], [0, 9, 1.2, 0]])
    plain = backend(rescale="none", metric="euclidean").fit(train)
    fitted = backend(rescale="none", metric="euclidean", domains=domains).fit(train)
    assert np.diff(plain.anomaly_score(test))[0] > 0
    assert np.diff(fitted.anomaly_score(test))[0] < 0
    for scores in (fitted.anomaly_score(test), fitted.train_score_, fitted.left_out_score_):
        assert scores.min() > 0
        assert scores.max() < 1
    for rows in (slice(40), slice(40, 52)):
        assert fitted.left_out_score_[rows].mean() == pytest.approx(0.5, abs=0.05)


def test_bands_are_refused_where_vectors_are_expected() -> None:
    with pytest.raises(AsdError, match="'rows' has 3 × 5 values per clip: use one vector per clip, or band_memory"):
        NearestNeighbours("rows").fit(embeddings(clips()))


def test_a_lone_clip_has_no_neighbour() -> None:
    with pytest.raises(TooFewClipsError, match="one training clip has no neighbour"):
        backend().fit(embeddings(clips(1)))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(AsdError, match="'rows' is not finite for every clip"):
        backend().fit(embeddings([[1.0], [np.nan]]))


def test_test_clips_of_another_shape_are_refused() -> None:
    with pytest.raises(AsdError, match="another shape than in training"):
        backend().fit(embeddings(clips())).anomaly_score(embeddings(clips(bands=1)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rescale": "z"}, "rescale 'z': use one of: none, ratio, difference, variance"),
        ({"metric": "manhattan"}, "metric 'manhattan': use one of: cosine, euclidean"),
        ({"domains": "each"}, "domains 'each': use one of: together, soft, hard"),
        ({"neighbours": 0}, "neighbours 0, shared 0.0: use at least 1"),
        ({"shared": -1.0}, "shared -1.0: use at least 1, and at least 0"),
        ({"rescale": "ratio", "log": True}, "log with ratio: use difference"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        backend(**settings)
