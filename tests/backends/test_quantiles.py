"""Quantiles with tails, and their mixture over domains."""

import numpy as np
import pytest

from asdlib.backends.domain_quantiles import DomainQuantiles
from asdlib.backends.quantiles import Quantiles, left_out_quantiles
from asdlib.errors import TooFewClipsError

SAMPLE = np.array([3.0, 1.0, 2.0, 5.0])


def test_known_values() -> None:
    """i / (n + 1) at the sample, linear between; beyond its largest q + (1 − q) x / (x + largest − median)."""
    quantiles = Quantiles().fit(SAMPLE)
    assert quantiles(np.array([1.0, 2.0, 3.0, 5.0, 4.0])).tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.7])
    assert quantiles(np.array([7.0])) == pytest.approx([0.8 + 0.2 * 2 / (2 + 2.5)])
    assert quantiles(np.array([-0.5])) == pytest.approx([0.2 - 0.2 * 1.5 / (1.5 + 1.5)])


def test_they_increase_strictly_also_far_beyond_the_sample() -> None:
    far = np.concatenate([-np.geomspace(1e6, 1, 50), np.linspace(1, 5, 50), 5 + np.geomspace(0.1, 1e6, 100)])
    found = Quantiles().fit(SAMPLE)(far)
    assert (np.diff(found) > 0).all()
    assert found.min() > 0
    assert found.max() < 1


@pytest.mark.parametrize("sample", [[2.0], [2.0, 2.0, 2.0]])
def test_equal_scores_have_quantiles(sample: list) -> None:
    found = Quantiles().fit(np.array(sample))(np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.isfinite(found).all()
    assert found[0] < found[1] < found[2] <= found[3] <= 1


def test_without_scores_there_are_none() -> None:
    with pytest.raises(TooFewClipsError, match="quantiles need normal scores"):
        Quantiles().fit(np.array([]))


def test_a_score_is_left_out_of_its_own_quantile() -> None:
    assert left_out_quantiles(SAMPLE)[2] == pytest.approx(float(Quantiles().fit(np.array([3.0, 1.0, 5.0]))(2.0)))
    assert left_out_quantiles(np.array([4.0])).tolist() == [0.5]


DOMAINS = ["source"] * 20 + ["target"] * 5
SCORES = np.concatenate([np.linspace(1, 2, 20), np.linspace(11, 15, 5)])
# Far from the other domain; 0.1 is the median distance to the nearest clip, whatever that of one clip apart.
DISTANCES = np.array([[2.0, 9.0]] + [[0.1, 9.0]] * 19 + [[9.0, 0.1]] * 5)


def calibrated(scores: list[float], distances: list[list[float]], assignment: str = "soft", shared: float = 0.0):
    fitted = DomainQuantiles(assignment, shared).fit(SCORES, DISTANCES, DOMAINS)
    return fitted(np.array(scores), np.array(distances))


def test_a_clip_is_compared_to_the_domain_that_it_is_near() -> None:
    own = Quantiles().fit(SCORES[20:])(13.0)
    assert calibrated([13.0], [[9.0, 0.1]], "hard") == pytest.approx(own)
    assert calibrated([13.0], [[9.0, 0.1]]) == pytest.approx(own)
    assert calibrated([13.0], [[0.1, 9.0]]) > 0.97


def test_between_two_domains_both_count() -> None:
    low, high = (Quantiles().fit(scores)(13.0) for scores in (SCORES[20:], SCORES[:20]))
    assert calibrated([13.0], [[0.3, 0.3]]) == pytest.approx((low + high) / 2)
    assert calibrated([13.0], [[0.3, 0.4]]) == pytest.approx((low * np.exp(-1) + high) / (1 + np.exp(-1)))
    assert calibrated([13.0], [[0.3, 0.4]], "hard") == pytest.approx(high)
    assert calibrated([13.0], [[0.3, 900.0]]) == pytest.approx(high)
    far = [[900.3, 900.4]]  # from all clips: no weight may vanish or overflow
    assert calibrated([13.0], far) == pytest.approx((low * np.exp(-1) + high) / (1 + np.exp(-1)))


def test_sharing_keeps_the_order_of_the_scores() -> None:
    scores, near = [1.0, 1.9, 5.0, 12.0, 16.0, 40.0], [[0.1, 9.0], [9.0, 0.1]] * 3
    for shared in (1e9, np.inf):
        found = calibrated(scores, near, "hard", shared)
        assert (np.diff(found) > 0).all()
        np.testing.assert_allclose(found, Quantiles().fit(SCORES)(np.array(scores)), atol=1e-6)
    count, own, everyone = 5, Quantiles().fit(SCORES[20:])(12.0), Quantiles().fit(SCORES)(12.0)
    mixed = (count * own + 10 * everyone) / (count + 10)
    assert calibrated([12.0], [[9.0, 0.1]], "hard", 10.0) == pytest.approx(mixed)


@pytest.mark.parametrize("shared", [0.0, 7.0, np.inf])
@pytest.mark.parametrize("assignment", ["soft", "hard"])
def test_left_out_values_are_those_of_a_fit_without_the_clip(assignment: str, shared: float) -> None:
    fitted = DomainQuantiles(assignment, shared).fit(SCORES, DISTANCES, DOMAINS)
    for row in (0, 7, 19, 22, 24):
        domains = [domain for number, domain in enumerate(DOMAINS) if number != row]
        rest = np.delete(SCORES, row), np.delete(DISTANCES, row, 0), domains
        without = DomainQuantiles(assignment, shared).fit(*rest)
        expected = without(SCORES[row : row + 1], DISTANCES[row : row + 1])
        assert fitted.left_out_[row] == pytest.approx(expected[0])


def test_a_domain_of_two_clips_has_the_quantiles_of_all(caplog) -> None:
    scores, distances, domains = SCORES[:22], DISTANCES[:22], DOMAINS[:22]
    fitted = DomainQuantiles("hard", 0.0).fit(scores, distances, domains)
    assert "2 training clips of domain target: quantiles of all clips instead" in caplog.text
    assert fitted(np.array([9.0]), np.array([[9.0, 0.1]])) == pytest.approx(Quantiles().fit(scores)(9.0))
    assert fitted.left_out_[21] == pytest.approx(Quantiles().fit(scores[:21])(scores[21]))


def test_a_domain_of_three_clips_has_its_own_quantiles(caplog) -> None:
    fitted = DomainQuantiles("hard", 0.0).fit(SCORES[:23], DISTANCES[:23], DOMAINS[:23])
    assert not caplog.text
    assert fitted(np.array([11.5]), np.array([[9.0, 0.1]])) == pytest.approx(3 / 8)  # scores 11, 12 and 13: 1/4 to 1/2
