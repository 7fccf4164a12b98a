"""The official baseline's scores."""

import logging

import numpy as np
import pytest

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.smallest_distance import SmallestDistance

DISTANCES = np.array([[1.0, 4.0], [5.0, 2.0], [3.0, 3.5]])
SAMPLE = np.array([1.0, 1.5, 1.7, 2.0, 2.2, 3.0, 4.0])


def fitted(**calibration: np.ndarray) -> SmallestDistance:
    given = {"mahalanobis": SAMPLE, **calibration}
    return SmallestDistance("mahalanobis").fit(Embeddings({"mahalanobis": DISTANCES}, calibration=given))


def test_left_out_scores_are_those_of_the_model() -> None:
    plain, left_out = fitted(), fitted(mahalanobis_left_out=np.array([[1.0, 2.001, 3.0], [1.5, 2.5, 9.0]]))
    assert left_out.train_score_.tolist() == [1.0, 2.0, 3.0]
    assert left_out.left_out_score_.tolist() == [1.5, 2.5, 9.0]
    assert left_out.threshold_ == plain.threshold_, "the published one is of batches"
    assert not hasattr(plain, "left_out_score_")


@pytest.mark.parametrize(
    "of_others", [[[1.0, 2.0], [1.5, 2.5]], [[1.0, 2.0, 4.0], [1.5, 2.5, 9.0]]], ids=["fewer clips", "another view"]
)
def test_left_out_scores_of_other_clips_are_not_used(of_others: list, caplog: pytest.LogCaptureFixture) -> None:
    """A model of several sections, or one that scores separated clips and was trained on recordings."""
    with caplog.at_level(logging.WARNING):
        backend = fitted(mahalanobis_left_out=np.array(of_others))
    assert not hasattr(backend, "left_out_score_")
    assert "so their scores are not left out: a fitted threshold is somewhat low" in caplog.text
