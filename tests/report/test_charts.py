"""ROC curves and histograms: the values drawn, and the alternative texts."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from asdlib.evaluation.figures import OF_2020, OF_2021, SINCE_2022, Definition
from asdlib.evaluation.metrics import auc, section_areas
from asdlib.report.charts import Scores, histograms, roc_curves

RNG = np.random.default_rng(0)
LABELS = ["normal", "normal", "anomaly", "anomaly"] * 5
DOMAINS = ["source", "target"] * 10
SCORES = Scores("both", RNG.normal(size=20), LABELS, DOMAINS, RNG.normal(size=9), ["source"] * 7 + ["target"] * 2, 0.25)


def test_roc_curves_say_the_official_metrics_areas() -> None:
    labels = [int(label == "anomaly") for label in LABELS]
    source, target, _ = section_areas(SINCE_2022, labels, DOMAINS, SCORES.scores)
    alt = roc_curves([SCORES])["alt"]
    assert f"both, source {100 * source:.2f}" in alt
    assert f"both, target {100 * target:.2f}" in alt


@pytest.mark.parametrize("definition", [OF_2021, OF_2020], ids=lambda definition: definition.name)
def test_roc_curves_compare_the_clips_of_their_year(definition: Definition) -> None:
    scored = SCORES if definition is OF_2021 else replace(SCORES, domains=[None] * 20)
    labels = [int(label == "anomaly") for label in LABELS]
    areas = section_areas(definition, labels, scored.domains, SCORES.scores)
    alt = roc_curves([scored], definition)["alt"]
    for name, area in zip(definition.columns, areas, strict=True):
        if name.startswith("auc"):
            assert f"both, {name.partition('_')[2] or 'all'} {100 * area:.2f}" in alt


@pytest.mark.parametrize("labels", [[None] * 20, ["normal"] * 20, ["anomaly", *[None] * 19]])
def test_there_is_no_roc_curve_without_both_labels(labels: list) -> None:
    assert roc_curves([replace(SCORES, labels=labels)]) is None


def test_roc_curves_are_those_of_the_labelled_clips() -> None:
    known = [int(label == "anomaly") for label in LABELS[3:]]
    source, target, _ = section_areas(SINCE_2022, known, DOMAINS[3:], SCORES.scores[3:])
    alt = roc_curves([replace(SCORES, labels=[None] * 3 + LABELS[3:])])["alt"]
    assert f"both, source {100 * source:.2f}; both, target {100 * target:.2f}." in alt


@pytest.mark.parametrize("definition", [SINCE_2022, OF_2021], ids=lambda definition: definition.name)
def test_without_domains_there_is_the_roc_curve_of_all_clips(definition: Definition) -> None:
    area = 100 * auc([int(label == "anomaly") for label in LABELS], SCORES.scores)
    alt = roc_curves([replace(SCORES, domains=[None, *DOMAINS[1:]])], definition)["alt"]
    assert alt == f"ROC curves. AUC in percent: both, all {area:.2f}."


def test_without_target_clips_there_is_the_roc_curve_of_the_source_domain() -> None:
    area = 100 * auc([int(label == "anomaly") for label in LABELS], SCORES.scores)
    alt = roc_curves([replace(SCORES, domains=["source"] * 20)])["alt"]
    assert alt == f"ROC curves. AUC in percent: both, source {area:.2f}."


def test_histograms_count_the_clips_above_the_threshold() -> None:
    alt = histograms(SCORES)["alt"]
    normal = [score for score, label in zip(SCORES.scores, LABELS, strict=True) if label == "normal"]
    assert f"{sum(score > 0.25 for score in normal)} of 10 clips (test, normal)" in alt
    assert "(test, label unknown)" not in alt


def test_histograms_of_an_unlabelled_set() -> None:
    bare = replace(SCORES, labels=[None] * 20, domains=[None] * 20)
    assert f"{(SCORES.scores > 0.25).sum()} of 20 clips (test, label unknown)" in histograms(bare)["alt"]


@pytest.mark.parametrize("level", [1.0, 1e16, -3e5])
def test_histograms_of_scores_that_differ_in_their_last_digits_only(level: float) -> None:
    scores = np.full(20, level)
    scores[::2] = np.nextafter(level, np.inf)
    alike = replace(SCORES, scores=scores, train_scores=scores[:9], threshold=level)
    assert "10 of 10 clips" in histograms(replace(alike, threshold=level - abs(level)))["alt"]


def test_a_picture_is_whole_and_the_same_twice() -> None:
    one = histograms(SCORES)
    content = base64.b64decode(re.fullmatch(r"data:image/webp;base64,(.*)", one["source"])[1])
    assert content[:4] == b"RIFF"
    assert content[8:12] == b"WEBP"
    assert len(content) < 30_000
    assert histograms(SCORES) == one
    assert histograms(replace(SCORES, threshold=0.5))["source"] != one["source"]
