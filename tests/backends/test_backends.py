"""All backends of the registry: `fit` returns self, anomalies score higher, missing inputs are named.

A kind without an entry in TOYS has the arguments of its first recipe in config/systems, and reads two distances, which
are larger for an anomalous clip.
"""

import re

import numpy as np
import pytest
from helpers.registry_toys import recipe_arguments
from scipy import stats

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import Embeddings
from asdlib.backends.smallest_distance import SmallestDistance
from asdlib.backends.thresholds import gamma_quantile, left_out_quantile
from asdlib.errors import AsdError

# For each kind: its arguments, and the representations of a normal and of an anomalous clip.
TOYS = {
    "band_memory": ({"representation": "distances"}, [[1.0, 2.0]], [[9.0, 7.0]]),
    "density_softmax": (
        dict.fromkeys(("representation", "own", "left_out", "own_left_out"), "distances") | {"temperature": 2.0},
        [[-1.0, -20.0]],
        [[-60.0, -63.0]],
    ),
    "minimum_covering_volume": ({"representation": "distances"}, [[1.0, 2.0]], [[7.0, 9.0]]),
    "nearest_neighbours": ({"representation": "distances", "neighbours": 3}, [[1.0, 2.0]], [[7.0, 9.0]]),
    "reconstruction_error": ({"representation": "distances"}, [[1.0]], [[7.0]]),
    "neighbour_views": (
        {"statistics": "distances", "modulation": "distances", "bands": 1, "window": 1},
        [[1.0, 2.0]],
        [[7.0, 9.0]],
    ),
    "prototypes": ({"representation": "distances", "centroids": 4}, [[1.0, 2.0]], [[9.0, 7.0]]),
    "smallest_distance": ({"representation": "distances"}, [[1.0, 2.0]], [[7.0, 9.0]]),
    "topic_mixture": ({"representation": "distances", "components": 2}, [[1.0, 2.0]], [[7.0, 9.0]]),
}


# What `train` and the tests give to a kind without an entry.
NORMAL, STRANGE = [[1.0, 2.0]], [[7.0, 9.0]]


def toy_of(kind: str) -> tuple[dict, list, list]:
    """Return a backend's arguments, and the representation of a normal and of a strange clip."""
    if kind in TOYS:
        return TOYS[kind]
    found = recipe_arguments("backends", kind, BACKENDS[kind], "tests/backends/test_backends.py")
    read = {"representation": "distances"} if "representation" in found else {}
    return found | read, NORMAL, STRANGE


def train(values: list, count: int = 20) -> Embeddings:
    rows = np.repeat(np.array(values), count, axis=0) + np.linspace(0, 0.1, count)[:, None]
    domains = ["source"] * (count - 2) + ["target"] * 2
    return Embeddings({"distances": rows}, domains, [{}] * count, {"distances": rows.min(axis=1)})


@pytest.fixture(params=sorted(BACKENDS))
def toy(request: pytest.FixtureRequest):
    arguments, normal, strange = toy_of(request.param)
    return BACKENDS[request.param](**arguments), train(normal), normal, strange


def test_toys_are_of_backends_that_exist() -> None:
    assert TOYS.keys() <= BACKENDS.keys()


def test_a_kind_whose_arguments_nobody_gives_is_named() -> None:
    class Strange:
        def __init__(self, representation: str, size: int = 3):
            """No recipe has it."""

    with pytest.raises(pytest.fail.Exception, match=r"^here: strange: .* gives representation: add an entry 'strange'"):
        recipe_arguments("backends", "strange", Strange, "here")


def test_fit_returns_the_backend_and_scores_training_clips(toy) -> None:
    backend, given, _, _ = toy
    assert backend.fit(given) is backend
    assert backend.train_score_.shape == (20,)
    assert np.isfinite(backend.train_score_).all()


def test_an_anomalous_clip_scores_higher(toy) -> None:
    backend, given, normal, strange = toy
    test = Embeddings({"distances": np.array([*normal, *strange])})
    normal_score, strange_score = backend.fit(given).anomaly_score(test)
    assert strange_score > normal_score
    threshold = backend.threshold_ if hasattr(backend, "threshold_") else backend.train_score_.max()
    assert strange_score > threshold


STANDARDISED = (
    "band_memory",
    "density_softmax",
    "nearest_neighbours",
    "neighbour_views",
)  # whose scores are offsets from the usual ones


FEW = [(1, 0), (1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (0, 1), (0, 3), (20, 1)]  # clips of source and target domain


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, of identical clips
@pytest.mark.parametrize("spread", [0.1, 0.0], ids=["different", "identical"])
@pytest.mark.parametrize(("source", "target"), FEW)
@pytest.mark.parametrize("kind", sorted(BACKENDS))
def test_few_clips_are_scored_or_refused(kind: str, source: int, target: int, spread: float) -> None:
    """A score is finite, and a distance is never negative, also of a clip that was trained on."""
    arguments, normal, strange = toy_of(kind)
    count = source + target
    noise = spread * np.random.default_rng(count).standard_normal((count, 1))
    rows = np.repeat(np.array(normal), count, axis=0) + noise
    given = Embeddings(
        {"distances": rows}, ["source"] * source + ["target"] * target, [{}] * count, {"distances": rows.min(axis=1)}
    )
    test = Embeddings({"distances": np.concatenate([rows, 3 * rows, rows * (1 + 1e-7), [*normal, *strange]])})
    try:
        backend = BACKENDS[kind](**arguments).fit(given)
    except AsdError as error:
        assert re.fullmatch(rf"(backend )?{kind}: [^\n]+: [^\n]+", str(error))  # noqa: PT017
        assert count < 5
        return
    scores = np.concatenate([backend.train_score_, backend.anomaly_score(test)])
    left_out = getattr(backend, "left_out_score_", backend.train_score_)
    assert np.isfinite([*scores, *left_out, getattr(backend, "threshold_", 0.0)]).all()
    if kind not in STANDARDISED:
        assert min(scores.min(), left_out.min()) >= 0


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distances_to_neighbours_are_not_negative(metric: str) -> None:
    given = train([[1.0, 2.0]])
    backend = BACKENDS["nearest_neighbours"]("distances", metric=metric, normalise=False).fit(given)
    assert backend.anomaly_score(given).min() >= 0


def test_the_nearer_of_two_distances_counts() -> None:
    backend = SmallestDistance("distances")
    assert backend.anomaly_score(Embeddings({"distances": np.array([[3.0, 1.0], [2.0, 5.0]])})).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("name", "message"), [("nothing", "no calibration 'nothing'")])
def test_a_missing_calibration_is_named(name: str, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        SmallestDistance(name).fit(train([[1.0, 2.0]]))


def test_a_missing_representation_is_named() -> None:
    with pytest.raises(AsdError, match=r"no representation 'latent'.*distances"):
        train([[1.0, 2.0]])["latent"]


def test_the_gamma_quantile_is_that_of_the_distribution_drawn_from() -> None:
    sample = np.random.default_rng(0).gamma(5.0, 2.0, 20000)
    assert gamma_quantile(sample, 0.9) == pytest.approx(np.quantile(sample, 0.9), rel=0.01)


@pytest.mark.parametrize("draw", ["lognormal", "gamma", "normal"])
def test_a_fitted_threshold_keeps_its_promise_for_any_distribution(draw: str) -> None:
    """The share of new normal clips above it is at most 10 % on average, of small samples, too."""
    drawn = np.random.default_rng(0)
    sample = {
        "lognormal": lambda n: drawn.lognormal(0.0, 1.2, n),
        "gamma": lambda n: drawn.gamma(0.8, 2.0, n),
        "normal": lambda n: drawn.normal(3.0, 1.0, n),
    }[draw]
    for count in (19, 100):
        shares = [(sample(400) > left_out_quantile(sample(count), [None] * count, 0.9)[0]).mean() for _ in range(200)]
        assert 0.08 < np.mean(shares) < 0.11


def test_a_domain_of_few_clips_counts_as_much_as_one_of_many() -> None:
    """An ordinary quantile of all scores would call every normal clip of the target domain anomalous."""
    drawn = np.random.default_rng(0)
    scores = np.concatenate([drawn.normal(0, 1, 990), drawn.normal(5, 1, 10)])
    threshold = left_out_quantile(scores, ["source"] * 990 + ["target"] * 10, 0.9)[0]
    assert np.quantile(scores, 0.9) < 2
    new = np.concatenate([drawn.normal(0, 1, 1000), drawn.normal(5, 1, 1000)])
    assert 0.02 < (new > threshold).mean() < 0.2


@pytest.mark.parametrize(("count", "quantile", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.99, 99), (20, 0.5, 11)])
def test_a_new_clip_is_one_more_than_the_left_out_ones(count: int, quantile: float, rank: int, caplog) -> None:
    scores = np.arange(1.0, count + 1)
    assert left_out_quantile(scores, ["source"] * count, quantile) == (rank, quantile)
    assert not caplog.text


def test_too_few_clips_for_a_quantile_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    threshold, kept = left_out_quantile(np.arange(34.0), ["source"] * 30 + ["target"] * 4, 0.95)
    assert threshold == 33
    assert kept == pytest.approx((30 / 31 + 4 / 5) / 2)
    assert "34 training clips (30 source, 4 target) are too few for the quantile 0.95" in caplog.text
    assert "exceeds with a probability of about 0.12" in caplog.text  # the mean of 1 / 31 and 1 / 5


@pytest.mark.parametrize("sample", [[2.5], [2.5, 2.5, 2.5]])
def test_the_official_threshold_of_equal_scores_is_their_value(sample: list, caplog: pytest.LogCaptureFixture) -> None:
    """SciPy raises an error for them, as of a training with a single batch."""
    assert gamma_quantile(np.array(sample), 0.9) == 2.5
    assert "scores behind the threshold are the same" in caplog.text


@pytest.mark.parametrize("found", [None, (np.nan, 0.0, 1.0), (2.0, -np.inf, 1.0), (2.0, 0.0, np.inf)], ids=str)
def test_a_sample_that_no_distribution_fits_is_refused(monkeypatch: pytest.MonkeyPatch, found: tuple | None) -> None:
    def fit(*arguments, **options):
        if found is None:
            raise stats.FitError("no")
        return found

    monkeypatch.setattr(stats.gamma, "fit", fit)
    with pytest.raises(AsdError, match=r"^backend: no gamma distribution fits 2 normal scores: add training clips$"):
        gamma_quantile(np.array([1.0, 2.0]), 0.9)


def test_of_equal_scores_any_higher_one_is_anomalous(caplog: pytest.LogCaptureFixture) -> None:
    assert left_out_quantile(np.full(4, 1.5), ["source"] * 4, 0.9) == (1.5, 0.8)  # a fifth clip may be above all four
    assert "scores behind the threshold are the same" in caplog.text
    assert left_out_quantile(np.full(1, 1.5), ["source"], 0.9) == (1.5, 0.5)
    assert left_out_quantile(np.full(9, 1.5), ["source"] * 9, 0.9) == (1.5, 0.9)
