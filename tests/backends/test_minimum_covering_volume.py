"""The sphere around normal clips: its centre, its radius, and the share it covers."""

import numpy as np
import pytest

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.minimum_covering_volume import MinimumCoveringVolume

NORMAL = np.array([3.0, 4.0, 0.0]) + 0.3 * np.random.default_rng(0).standard_normal((200, 3))


def fitted(coverage: float = 1.0) -> MinimumCoveringVolume:
    return MinimumCoveringVolume(coverage=coverage).fit(Embeddings({"latent": NORMAL}, ["source"] * 200, [{}] * 200))


def score(*vectors: list[float]) -> np.ndarray:
    return fitted().anomaly_score(Embeddings({"latent": np.array(vectors)}))


def test_the_centre_is_the_mean_direction() -> None:
    directions = NORMAL / np.linalg.norm(NORMAL, axis=1, keepdims=True)
    mean = directions.mean(0)
    np.testing.assert_allclose(fitted().centre_, mean / np.linalg.norm(mean))


def test_a_clip_in_the_centres_direction_scores_0_at_any_length() -> None:
    centre = fitted().centre_
    np.testing.assert_allclose(score(centre.tolist(), (100 * centre).tolist()), 0, atol=1e-12)


def test_the_score_is_one_minus_the_cosine() -> None:
    centre = fitted().centre_
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


def test_a_clip_without_direction_is_finite() -> None:
    assert np.isfinite(score([0.0, 0.0, 0.0])).all()
