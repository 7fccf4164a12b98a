"""The sphere around normal clips: its centre, its radius, and the share it covers."""

import itertools

import numpy as np
import pytest

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.minimum_covering_volume import MinimumCoveringVolume
from asdlib.errors import AsdError

NORMAL = np.array([3.0, 4.0, 0.0]) + 0.3 * np.random.default_rng(0).standard_normal((200, 3))


def fitted(coverage: float = 1.0) -> MinimumCoveringVolume:
    return MinimumCoveringVolume(coverage=coverage).fit(Embeddings({"latent": NORMAL}, ["source"] * 200, [{}] * 200))


def score(*vectors: list[float]) -> np.ndarray:
    return fitted().anomaly_score(Embeddings({"latent": np.array(vectors)}))


def test_the_centre_is_the_mean_direction() -> None:
    directions = NORMAL / np.linalg.norm(NORMAL, axis=1, keepdims=True)
    mean = directions.mean(0)
    np.testing.assert_allclose(fitted().centres_[0], mean / np.linalg.norm(mean))


def test_a_clip_in_the_centres_direction_scores_0_at_any_length() -> None:
    centre = fitted().centres_[0]
    np.testing.assert_allclose(score(centre.tolist(), (100 * centre).tolist()), 0, atol=1e-12)


def test_the_score_is_one_minus_the_cosine() -> None:
    centre = fitted().centres_[0]
    across = np.cross(centre, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(score(across.tolist(), (-centre).tolist()), [1.0, 2.0], atol=1e-12)


@pytest.mark.parametrize("coverage", [1.0, 0.99, 0.5, 0.005])
def test_the_radius_is_the_smallest_that_covers_the_share(coverage: float) -> None:
    backend = fitted(coverage)
    assert (backend.train_score_ <= backend.threshold_).sum() == round(coverage * 200)
    assert backend.threshold_ in backend.train_score_


def test_the_farthest_normal_clip_lies_on_the_sphere_of_all() -> None:
    backend = fitted()
    assert backend.threshold_ == backend.train_score_.max()
    assert not (backend.train_score_ > backend.threshold_).any()


def test_left_out_scores_are_distances_to_the_centre_of_the_others() -> None:
    """Two target clips are near each other, and the only clip of its domain is opposite to all others."""
    domains = ["source"] * 5 + ["target"] * 2 + ["other"]
    clips = np.array([1.0, 0.0, 0.0]) + 0.3 * np.random.default_rng(0).standard_normal((8, 3))
    clips[5:] += np.array([[0.0, 2.0, 0.0], [0.0, 2.0, 0.0], [-4.0, -4.0, 0.0]])
    for centres, given in itertools.product(("one", "domains"), (range(8), [0, 1, 2, 3, 4, 7])):  # three domains, two
        train = Embeddings({"latent": clips[given]}, [domains[one] for one in given], [{}] * len(given))
        backend = MinimumCoveringVolume(centres=centres).fit(train)
        for place, clip in enumerate(given):
            rest = [other for other in given if other != clip]
            train = Embeddings({"latent": clips[rest]}, [domains[other] for other in rest], [{}] * len(rest))
            fitted = MinimumCoveringVolume(centres=centres).fit(train)
            again = fitted.anomaly_score(Embeddings({"latent": clips[[clip]]}))
            np.testing.assert_allclose(backend.left_out_score_[place], again[0], atol=1e-12)


def test_a_clip_without_direction_is_finite() -> None:
    assert np.isfinite(score([0.0, 0.0, 0.0])).all()


def test_with_a_centre_per_domain_the_nearest_counts() -> None:
    """Ten target clips of a thousand hardly move the one centre; they have their own if domains do."""
    target = np.array([0.0, 0.0, 5.0]) + 0.3 * np.random.default_rng(1).standard_normal((2, 3))
    train = Embeddings({"latent": np.concatenate([NORMAL, target])}, ["source"] * 200 + ["target"] * 2, [{}] * 202)
    one = MinimumCoveringVolume().fit(train)
    several = MinimumCoveringVolume(centres="domains").fit(train)
    assert (one.centres_.shape, several.centres_.shape) == ((1, 3), (2, 3))
    new = Embeddings({"latent": np.array([[0.0, 0.0, 1.0], [3.0, 4.0, 0.0], [1.0, -1.0, 0.0]])})
    assert (one.anomaly_score(new)[[0, 2]] > 0.8).all()
    assert several.anomaly_score(new)[:2].max() < 0.02
    assert several.anomaly_score(new)[2] > 0.8
    assert several.threshold_ == several.train_score_.max() < 0.1 < one.threshold_


def test_unknown_centres_are_refused() -> None:
    with pytest.raises(AsdError, match=r"backend minimum_covering_volume: centres 'x': use one or domains"):
        MinimumCoveringVolume(centres="x")
