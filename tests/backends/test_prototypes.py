"""Prototypes: centroids of source clips, target clips, and the smallest cosine distance to them."""

import logging

import numpy as np
import pytest
from helpers.refusals import refused

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.prototypes import Prototypes
from asdlib.backends.thresholds import left_out_quantile

RNG = np.random.default_rng(5)
CENTRES = np.eye(8)[:4] * 3


def embeddings(vectors: np.ndarray, target: int) -> Embeddings:
    domains = ["source"] * (len(vectors) - target) + ["target"] * target
    return Embeddings({"embedding": np.asarray(vectors)}, domains, [{}] * len(vectors))


def cosine_distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_the_centroids_of_source_and_every_target_clip_are_prototypes() -> None:
    source = np.repeat(CENTRES, 25, axis=0) + 0.01 * RNG.standard_normal((100, 8))
    target = RNG.standard_normal((10, 8))
    backend = Prototypes("embedding", centroids=4).fit(embeddings(np.concatenate([source, target]), 10))
    assert backend.prototypes_.shape == (14, 8)
    np.testing.assert_array_equal(backend.prototypes_[4:], target)
    nearest = np.linalg.norm(backend.prototypes_[:4, None] - CENTRES, axis=2).argmin(1)
    assert sorted(nearest) == [0, 1, 2, 3]
    np.testing.assert_allclose(backend.prototypes_[:4], CENTRES[nearest], atol=0.02)


def test_the_score_is_the_smallest_cosine_distance(caplog: pytest.LogCaptureFixture) -> None:
    vectors, test = (RNG.standard_normal((count, 5)).astype(np.float32) for count in (7, 3))
    test[0] = vectors[0] + np.float32(1e-3)  # near distances keep their digits, although embeddings are float32
    with caplog.at_level(logging.WARNING):
        backend = Prototypes("embedding", centroids=16).fit(embeddings(vectors, 2))
    assert "5 source clips for 16 centroids" in caplog.text
    expected = [min(cosine_distance(clip, vector) for vector in vectors.astype(float)) for clip in test.astype(float)]
    np.testing.assert_allclose(backend.anomaly_score(Embeddings({"embedding": test})), expected)


def test_length_does_not_matter_and_the_opposite_is_the_strangest() -> None:
    backend = Prototypes("embedding").fit(embeddings(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), 1))
    test = np.array([[5.0, 0.0], [0.0, 0.1], [-1.0, 0.0]])
    np.testing.assert_allclose(backend.anomaly_score(Embeddings({"embedding": test})), [0, 1, 2])


def test_a_target_training_clip_is_not_its_own_prototype() -> None:
    backend = Prototypes("embedding").fit(embeddings(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), 1))
    assert backend.train_score_[2] == pytest.approx(cosine_distance(np.array([0.0, 1.0]), np.array([1.0, 0.1])))


def test_a_source_training_clip_that_is_a_prototype_is_not_its_own() -> None:
    """Otherwise all scores of a small training set, and the decision threshold, would be 0."""
    vectors = RNG.standard_normal((9, 5))
    given = embeddings(vectors, 2)
    backend = Prototypes("embedding", centroids=16).fit(given)
    expected = [
        min(cosine_distance(vectors[clip], vectors[other]) for other in range(9) if other != clip) for clip in range(9)
    ]
    np.testing.assert_allclose(backend.train_score_, expected)
    assert left_out_quantile(backend.left_out_score_, given.domains, 0.9)[0] > 0.05


def test_enough_source_clips_are_compared_with_the_centroids_of_all() -> None:
    given = embeddings(RNG.standard_normal((20, 4)), 0)
    backend = Prototypes("embedding", centroids=2).fit(given)
    np.testing.assert_array_equal(backend.train_score_, backend.anomaly_score(given))


def test_left_out_clips_do_not_belong_to_their_centroids() -> None:
    """As when the centroids of the same clusters are those of the other clips; a cluster of one has no centroid."""
    vectors = np.concatenate([np.full((1, 4), -9.0), np.repeat(np.eye(4)[:2] * 3, [5, 2], axis=0)])
    vectors = vectors + 0.2 * RNG.standard_normal(vectors.shape)
    given = embeddings(np.concatenate([vectors, [[0, 0, 0, 5.0], [0, 0, 1.0, 5.0]]]), 2)
    backend = Prototypes("embedding", centroids=3).fit(given)
    clips, clusters = given["embedding"], [[0], [1, 2, 3, 4, 5], [6, 7]]
    expected = []
    for clip in range(10):
        means = [np.mean([clips[m] for m in own if m != clip], axis=0) for own in clusters if own != [clip]]
        others = [*means, *(clips[target] for target in (8, 9) if target != clip)]
        expected.append(min(cosine_distance(clips[clip], other) for other in others))
    np.testing.assert_allclose(backend.left_out_score_, expected)
    assert (backend.left_out_score_[:8] > backend.train_score_[:8]).all()


def test_clips_without_a_domain_count_as_source() -> None:
    given = Embeddings({"embedding": RNG.standard_normal((6, 3))}, [None] * 6, [{}] * 6)
    assert Prototypes("embedding", centroids=2).fit(given).prototypes_.shape == (2, 3)


def test_the_same_clips_give_the_same_centroids() -> None:
    given = embeddings(RNG.standard_normal((60, 6)), 5)
    first, again = (Prototypes("embedding").fit(given).prototypes_ for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_the_centroids_are_the_best_of_several_starts() -> None:
    """A single start of k-means often puts two clusters together and parts another."""
    for seed in range(3):
        clips = np.repeat(np.eye(16), 5, axis=0) + 0.1 * np.random.default_rng(seed).standard_normal((80, 16))
        found = Prototypes("embedding", centroids=16).fit(embeddings(clips, 0)).prototypes_
        assert sorted(np.linalg.norm(found[:, None] - np.eye(16), axis=2).argmin(1)) == list(range(16))


def test_silence_has_a_finite_score() -> None:
    backend = Prototypes("embedding").fit(embeddings(RNG.standard_normal((6, 3)), 2))
    assert np.isfinite(backend.anomaly_score(Embeddings({"embedding": np.zeros((1, 3))}))).all()


def test_a_clip_alone_is_refused() -> None:
    refused(lambda: Prototypes("embedding").fit(embeddings(np.ones((1, 3)), 0)), r"backend prototypes: .*: add some")


def test_without_a_source_clip_it_refuses() -> None:
    refused(lambda: Prototypes("embedding").fit(embeddings(np.ones((2, 3)), 2)), r"backend prototypes: .*: add some")
