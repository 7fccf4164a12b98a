"""Evolving mixtures: the worked example of docs/system5.md, and the properties of the divergence."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

from asdlib.backends.evolving_mixture import (
    Mixture,
    component_divergences,
    evolved,
    gaussian_shares,
    mixture_divergence,
    student_shares,
)

BASELINE = Mixture(np.array([0.6, 0.4]), np.array([[0.0, 0.0], [4.0, 0.0]]), np.stack([np.eye(2), np.diag([1.0, 2.0])]))
EXAMPLE = {
    ((0, 0),): ([0.636349, 0.363651], [[0, 0], [3.999842, 0]], 0.009968),
    ((1, 1),): ([0.635367, 0.364633], [[0.141512, 0.141512], [3.991799, 0.002734]], 0.020469),
    ((2, 6),): ([0.545478, 0.454522], [[0.000087, 0.000262], [3.600084, 1.199749]], 0.633153),
    ((2, 6), (2.5, 5.5)): ([0.500034, 0.499966], [[0.000149, 0.000398], [3.416751, 1.916399]], 1.187743),
}


def evolve(*points: tuple, diagonal: bool = False, baseline: Mixture = BASELINE) -> Mixture:
    vectors = np.array(points, dtype=float).reshape(-1, 2)
    return evolved(baseline, vectors, gaussian_shares(baseline, vectors), 10 * baseline.weights, diagonal)


def density(mixture: Mixture, points: np.ndarray) -> np.ndarray:
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    return np.sum([w * multivariate_normal(m, c).pdf(points) for w, m, c in parts], axis=0)


def permuted(mixture: Mixture) -> Mixture:
    return Mixture(mixture.weights[::-1], mixture.means[::-1], mixture.covariances[::-1])


@pytest.mark.parametrize(("points", "expected"), EXAMPLE.items())
def test_the_worked_example(points: tuple, expected: tuple) -> None:
    weights, means, distance = expected
    new = evolve(*points)
    np.testing.assert_allclose(new.weights, weights, atol=1e-6)
    np.testing.assert_allclose(new.means, means, atol=1e-6)
    assert mixture_divergence(new, BASELINE) == pytest.approx(distance, abs=1e-6)


def test_the_worked_covariance() -> None:
    covariance = evolve((2, 6)).covariances[1]
    np.testing.assert_allclose(covariance, [[1.439941, -1.919698], [-1.919698, 7.359179]], atol=1e-6)
    np.testing.assert_allclose(evolve((2, 6), diagonal=True).covariances[1], np.diag([1.439941, 7.359179]), atol=1e-6)


def test_without_vectors_nothing_evolves() -> None:
    new = evolve()
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(new, name), getattr(BASELINE, name))
    assert mixture_divergence(new, BASELINE) == pytest.approx(0, abs=1e-12)


def test_the_divergence_grows_with_the_distance() -> None:
    distances = [mixture_divergence(evolve((0, y)), BASELINE) for y in (0, 1, 2, 4, 8, 100)]
    assert distances[0] >= 0
    assert distances == sorted(distances)


def test_it_bounds_the_divergence_of_the_whole_mixtures() -> None:
    new = evolve((2, 6))
    rng = np.random.default_rng(0)
    picked = rng.choice(2, 20000, p=new.weights)
    points = np.array([rng.multivariate_normal(new.means[k], new.covariances[k]) for k in picked])
    logs = [np.log(density(one, points)) for one in (new, BASELINE)]
    assert 0 < (logs[0] - logs[1]).mean() <= mixture_divergence(new, BASELINE)


def test_the_order_of_components_is_their_identity() -> None:
    new = evolve((2, 6))
    assert mixture_divergence(permuted(new), permuted(BASELINE)) == pytest.approx(mixture_divergence(new, BASELINE))
    assert mixture_divergence(permuted(new), BASELINE) > 2 * mixture_divergence(new, BASELINE)
    other = permuted(BASELINE)
    assert mixture_divergence(evolve((2, 6), baseline=other), other) == pytest.approx(mixture_divergence(new, BASELINE))


def test_shares_are_those_of_scipys_densities() -> None:
    points = np.array([[1.0, 1.0], [2.0, 6.0], [-3.0, 0.5]])
    parts = zip(BASELINE.weights, BASELINE.means, BASELINE.covariances, strict=True)
    densities = np.stack([w * multivariate_normal(m, c).pdf(points) for w, m, c in parts], axis=1)
    np.testing.assert_allclose(gaussian_shares(BASELINE, points), densities / densities.sum(1, keepdims=True))
    degrees = np.array([3.0, 8.0])
    parts = zip(BASELINE.weights, BASELINE.means, 2 * BASELINE.covariances, degrees, strict=True)
    densities = np.stack([w * multivariate_t(m, c, d).pdf(points) for w, m, c, d in parts], axis=1)
    ours = student_shares(BASELINE, 2 * BASELINE.covariances, degrees, points)
    np.testing.assert_allclose(ours, densities / densities.sum(1, keepdims=True))


def test_a_point_that_one_component_never_made_is_finite() -> None:
    assert np.isfinite(mixture_divergence(evolve((1e6, 1e6)), BASELINE))


def test_with_equal_priors_the_same_distance_from_any_component_is_the_same_divergence() -> None:
    """A clip on the centre of a component of 2 % changes it as much as one on the centre of a component of 98 %."""
    baseline = Mixture(np.array([0.98, 0.02]), np.array([[0.0, 0.0], [40.0, 0.0]]), np.stack([np.eye(2)] * 2))
    for offset in (0.0, 2.0):
        vectors = baseline.means + np.array([0.0, offset])
        shares = gaussian_shares(baseline, vectors)
        found = {}
        for name, prior in (("equal", np.full(2, 10.0)), ("weighted", 10 * baseline.weights)):
            clips = zip(vectors[:, None], shares[:, None], strict=True)
            found[name] = [component_divergences(evolved(baseline, *clip, prior), baseline).sum() for clip in clips]
        assert found["equal"][1] == pytest.approx(found["equal"][0])
        assert found["weighted"][1] > 3 * found["weighted"][0]
