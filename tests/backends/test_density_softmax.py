"""Density-Softmax: the worked example of docs/system5.md, and what its two indicators mean."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from asdlib.backends.density_softmax import DensitySoftmax, flatness, mean_log_density
from asdlib.backends.embeddings import Embeddings

CLASSES = [multivariate_normal([0, 0], np.eye(2)), multivariate_normal([4, 0], np.diag([1.0, 2.0]))]
# docs/system5.md: point, flatness at temperature 1 and 2, ln mean density
EXAMPLE = [([0, 0], 0.003198, 0.113373, -2.530787), ([2, 0], 0.978660, 0.994605, -3.996224),
           ([2, 6], 0.002430, 0.100323, -13.877423)]  # fmt: skip


def log_density(points: np.ndarray) -> np.ndarray:
    return np.stack([np.atleast_1d(one.logpdf(points)) for one in CLASSES], axis=1)


def clips(points: np.ndarray, own: list[int] | None = None) -> Embeddings:
    """Return clips of a machine to which both classes, or some of them, belong."""
    densities = {"log_density": log_density(points), "log_density_left_out": log_density(points) - 1}
    own_densities = {f"own_{name}": array if own is None else array[:, own] for name, array in densities.items()}
    return Embeddings(densities | own_densities)


@pytest.fixture
def normal() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([one.rvs(100, random_state=rng) for one in CLASSES])


@pytest.mark.parametrize(("point", "warm", "hot", "density"), EXAMPLE)
def test_the_worked_example(point: list, warm: float, hot: float, density: float) -> None:
    densities = log_density(np.array([point]))
    assert flatness(densities, 1.0)[0] == pytest.approx(warm, abs=1e-6)
    assert flatness(densities, 2.0)[0] == pytest.approx(hot, abs=1e-6)
    assert mean_log_density(densities)[0] == pytest.approx(density, abs=1e-6)


def test_a_constant_leaves_flatness_alone_and_equal_densities_are_flat() -> None:
    densities = log_density(np.array([[0, 0], [2, 0]]))
    np.testing.assert_allclose(flatness(densities - 1000, 2.0), flatness(densities, 2.0), atol=1e-9)
    assert flatness(np.zeros((1, 7)), 2.0) == pytest.approx(1.0)
    assert flatness(np.array([[0.0, -1e6]]), 1.0) == 0.0
    assert flatness(np.zeros((3, 1)), 2.0).tolist() == [0.0] * 3  # one class: no choice


def test_at_a_mean_between_two_and_far_from_all(normal: np.ndarray) -> None:
    backend = DensitySoftmax(temperature=2.0).fit(clips(normal))
    points = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 9.0]])
    mean, between, far = backend.anomaly_score(clips(points))
    assert mean < between < far
    assert mean < np.quantile(backend.train_score_, 0.9) < between


def test_each_sign_alone_misses_something(normal: np.ndarray) -> None:
    """The flatness of a far-off clip is low, and the density of a clip between two classes is not very low."""
    test = clips(np.array([[2.0, 0.0], [2.0, 6.0]]))
    flat = DensitySoftmax(temperature=2.0, density_weight=0.0).fit(clips(normal)).anomaly_score(test)
    dense = DensitySoftmax(temperature=2.0, flatness_weight=0.0).fit(clips(normal)).anomaly_score(test)
    both = DensitySoftmax(temperature=2.0).fit(clips(normal)).anomaly_score(test)
    assert flat[0] > flat[1]
    assert dense[0] < dense[1]
    np.testing.assert_allclose(both, flat + dense)


def test_signs_are_in_units_of_normal_clips(normal: np.ndarray) -> None:
    backend = DensitySoftmax(temperature=2.0, flatness_weight=0.0).fit(clips(normal))
    assert backend.train_score_.mean() == pytest.approx(0, abs=1e-9)
    assert backend.train_score_.std() == pytest.approx(1)


def test_left_out_scores_are_by_the_other_densities_in_the_same_units(normal: np.ndarray) -> None:
    """All densities are lower by 1 there, which leaves the flatness as it is."""
    given = clips(normal)
    backend = DensitySoftmax(temperature=2.0).fit(given)
    spread = mean_log_density(given["log_density"]).std()
    np.testing.assert_allclose(backend.left_out_score_, backend.train_score_ + 1 / spread)
    assert not hasattr(backend, "threshold_"), "the report states none, so it is fitted"


def test_the_classes_of_other_machines_make_a_clip_no_denser(normal: np.ndarray) -> None:
    """A clip that fits best to a class of another machine is still anomalous."""
    backend = DensitySoftmax(temperature=2.0).fit(clips(normal[:100], own=[0]))
    scores = backend.anomaly_score(clips(np.array([[0.0, 0.0], [4.0, 0.0]]), own=[0]))
    assert scores[0] < np.quantile(backend.train_score_, 0.9) < scores[1]


def test_a_sign_that_never_varies_says_nothing() -> None:
    same = np.full((5, 3), -2.0)
    names = ("log_density", "own_log_density", "log_density_left_out", "own_log_density_left_out")
    backend = DensitySoftmax().fit(Embeddings(dict.fromkeys(names, same)))
    assert backend.train_score_.tolist() == [0.0] * 5
