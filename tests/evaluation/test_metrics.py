"""The official metrics: their definition and their errors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdlib.errors import AsdError
from asdlib.evaluation.figures import SINCE_2022
from asdlib.evaluation.metrics import (
    EPSILON,
    auc,
    harmonic_mean,
    official_score,
    pauc,
    precision_recall_f1,
    section_areas,
)

RNG = np.random.default_rng(11)
LABELS = RNG.permutation(np.repeat([0, 1], 40))
DOMAINS = RNG.permutation(np.repeat(["source", "target"], 40))
SCORES = np.round(RNG.normal(size=80) + 0.8 * LABELS, 1)  # with ties


def pairs_won(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUC as the share of pairs (normal, anomalous) in the right order; a tie counts one half."""
    difference = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def test_auc_counts_pairs_and_ties_as_one_half():
    assert auc(LABELS, SCORES) == pytest.approx(pairs_won(LABELS, SCORES), abs=1e-15)
    assert auc([0, 1, 1], [5.0, 5.0, 6.0]) == 0.75


def test_the_areas_are_scikit_learns_to_the_last_bit():
    """Tables written before and after the library's own curve have the same bytes."""
    draw = np.random.default_rng(5)
    for number in range(200):
        labels = np.concatenate([[0, 1], draw.integers(0, 2, draw.integers(0, 300))])
        ties, spread = (0, 1, 300)[number % 3], (1.0, 1e300)[number % 2]
        scores = spread * np.round(draw.normal(size=labels.size) + 0.8 * labels, ties)
        ranks = np.unique(scores, return_inverse=True)[1]
        assert auc(labels, scores) == roc_auc_score(labels, ranks)
        for max_fpr in (0.013, 0.1, 0.5):
            assert pauc(labels, scores, max_fpr) == roc_auc_score(labels, ranks, max_fpr=max_fpr)


@pytest.mark.parametrize(
    ("labels", "scores", "value"),
    [
        ([0, 1], [0.0, 1.0], 1.0),
        ([0, 1], [1.0, 1.0], 0.5),
        ([0, 1], [1.0, 0.0], 9 / 19),
        (
            [0] * 10 + [1] * 10,
            [*range(9), 20, *range(10, 20)],
            9 / 19,
        ),  # one false alarm first: FPR 0.1 is used up
        ([0] * 20 + [1] * 10, [*range(19), 40, *range(20, 30)], 0.5 * (1 + 0.045 / 0.095)),
    ],
    ids=["perfect", "constant", "reversed", "one of ten", "one of twenty"],
)
def test_pauc_by_hand(labels: list, scores: list, value: float):
    assert pauc(labels, scores) == pytest.approx(value, abs=1e-15)


def test_strictly_increasing_maps_of_the_scores_change_nothing():
    for mapped in (7 * SCORES - 3, np.exp(SCORES), SCORES**3, 1e300 * np.tanh(SCORES) * 1.7):
        assert (auc(LABELS, mapped), pauc(LABELS, mapped)) == (auc(LABELS, SCORES), pauc(LABELS, SCORES))


def test_reversed_scores_reverse_the_auc():
    assert auc(LABELS, -SCORES) == pytest.approx(1 - auc(LABELS, SCORES), abs=1e-15)


def test_a_domains_auc_takes_the_anomalies_of_both_domains():
    labels = [0, 0, 1, 1, 0, 0, 1, 1]
    domains = ["source"] * 4 + ["target"] * 4
    scores = [1, 2, 3, 4, 5, 6, 0, 7]  # the target anomaly 0 is below every source clip
    source, target, _ = section_areas(SINCE_2022, labels, domains, scores)
    assert (source, target) == (0.75, 0.25)  # 1.0 and 0.5 with one domain's anomalies
    assert auc(labels, scores) == 0.5


def test_a_domains_auc_leaves_out_the_other_domains_normal_clips():
    before = section_areas(SINCE_2022, LABELS, DOMAINS, SCORES)
    shifted = np.where((LABELS == 0) & (DOMAINS == "target"), SCORES + 100, SCORES)
    after = section_areas(SINCE_2022, LABELS, DOMAINS, shifted)
    assert after[:2] == [before[0], 0.0]
    assert after[2] < before[2]


def test_the_pauc_takes_all_clips():
    assert section_areas(SINCE_2022, LABELS, DOMAINS, SCORES)[2] == pauc(LABELS, SCORES)


@pytest.mark.parametrize(
    ("labels", "decisions", "expected"),
    [
        ([0, 0, 1, 1], [0, 1, 1, 1], (2 / 3, 1.0, 0.8)),
        ([0, 0, 1, 1], [0, 0, 0, 0], (0.0, 0.0, 0.0)),
        ([0, 0, 1, 1], [True, True, True, True], (0.5, 1.0, 2 / 3)),
        ([0, 0], [1, 0], (0.0, 0.0, 0.0)),
        ([0, 1], [1, 0], (0.0, 0.0, 0.0)),
    ],
)
def test_decisions(labels: list, decisions: list, expected: tuple):
    found = precision_recall_f1(labels, decisions)
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected, abs=1e-15)


def test_harmonic_mean_has_a_floor():
    assert harmonic_mean([0.5, 1.0]) == pytest.approx(2 / 3, abs=1e-15)
    assert harmonic_mean([0.0, 1.0]) == pytest.approx(2 * EPSILON, rel=1e-9)
    assert harmonic_mean([0.0]) == EPSILON


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: auc([0, 0], [1.0, 2.0]), "no anomalous clip: a ROC curve needs both: give clips"),
        (lambda: pauc([1, 1], [1.0, 2.0]), "no normal clip"),
        (lambda: auc([0, 1], [np.nan, 2.0]), "1 are NaN or infinite"),
        (lambda: pauc([0, 1], [1.0, np.inf]), "NaN or infinite"),
        (lambda: auc([0, 2], [1.0, 2.0]), "0 and 1"),
        (lambda: auc([], []), "no normal clip"),
        (lambda: auc([0, 1], [1.0]), "1 values for 2 clips"),
        (
            lambda: section_areas(SINCE_2022, [0, 1], ["source", "source"], [1, 2]),
            "no normal clip of the target domain",
        ),
        (lambda: section_areas(SINCE_2022, [0, 1], ["source", "moon"], [1, 2]), "'moon' is not a domain"),
        (lambda: section_areas(SINCE_2022, [0, 1], ["source"], [1, 2]), "1 for 2 clips"),
        (lambda: precision_recall_f1([0, 1], [0, 0.5]), "decisions"),
        (lambda: precision_recall_f1([0, 1], [0]), "1 values for 2 clips"),
        (lambda: harmonic_mean([]), "no values"),
        (lambda: harmonic_mean([0.5, np.nan]), "not finite"),
        (lambda: official_score([54.4, 50.0]), "54.4 is not a fraction"),
        (lambda: official_score([np.nan]), "not a fraction"),
    ],
)
def test_refusals(call, words: str):
    with pytest.raises(AsdError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
