"""ROC curves and histograms: the values drawn, and the alternative texts."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from asdlib.evaluation.figures import OF_2020, OF_2021, SINCE_2022, Definition
from asdlib.evaluation.metrics import auc, section_areas
from asdlib.report import charts
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


def test_a_line_encloses_the_area_that_its_legend_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "picture", lambda figure, alt: figure)
    figure = roc_curves([SCORES, replace(SCORES, variant="opposite", scores=-SCORES.scores)])
    labels = [int(label == "anomaly") for label in LABELS]
    assert [axes.get_title() for axes in figure.axes] == ["source domain", "target domain"]
    for number, axes in enumerate(figure.axes):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("false positive rate", "true positive rate")
        *drawn, chance = axes.get_lines()
        assert len({line.get_linestyle() for line in drawn}) == 2, "not by colour alone"
        assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        for sign, line, said in zip((1, -1), drawn, legend, strict=True):
            area = section_areas(SINCE_2022, labels, DOMAINS, sign * SCORES.scores)[number]
            false, true = line.get_data()
            assert np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2) == pytest.approx(area)
            assert said == f"{'both' if sign > 0 else 'opposite'}: {100 * area:.2f}"


# Scores of a panel's groups, with the share of those in the highest bar, in percent, and the score of that bar.
BARS = {
    "source domain": {"training, normal": ([0, 8, 8, 8, 8], 80, 8), "test, normal": ([0, 0, 0, 8], 75, 0),
                      "test, anomaly": ([8, 8], 100, 8), "test, label unknown": ([0, 0, 8], 200 / 3, 0)},
    "target domain": {"training, normal": ([8], 100, 8), "test, anomaly": ([0], 100, 0)},
    "unknown domain": {"test, normal": ([8], 100, 8)},
}  # fmt: skip


def test_the_bars_are_the_shares_of_a_group_s_clips_in_its_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "picture", lambda figure, alt: figure)
    clips = [
        (group, None if title.startswith("unknown") else title.partition(" ")[0], score)
        for title, groups in BARS.items()
        for group, (scores, *_) in groups.items()
        for score in scores
    ]
    labels = {"test, normal": "normal", "test, anomaly": "anomaly", "test, label unknown": None}
    test, train = ([one for one in clips if (one[0] in labels) == wanted] for wanted in (True, False))
    given = Scores(
        "x", np.array([one[2] for one in test]), [labels[one[0]] for one in test], [one[1] for one in test],
        np.array([one[2] for one in train]), [one[1] for one in train], 6.5,
    )  # fmt: skip
    figure = histograms(given)
    assert [axes.get_title() for axes in figure.axes] == list(BARS)
    for axes in figure.axes:
        bars = {bar.get_label(): bar for bar in axes.patches}
        groups = BARS[axes.get_title()]
        assert set(bars) == set(groups)
        for name, (_, share, score) in groups.items():
            edges, heights = bars[name].get_xy().T
            assert heights.max() == pytest.approx(share)
            highest = edges[heights == heights.max()]
            assert highest.min() <= score <= highest.max() <= highest.min() + 8 / 32  # one of 32 bars from 0 to 8
        assert len({(bar.get_fill(), bar.get_hatch()) for bar in bars.values()}) == len(bars), "not by colour alone"
        (line,) = axes.get_lines()
        assert (line.get_label(), *line.get_xdata()) == ("decision threshold", 6.5, 6.5)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("anomaly score", "clips in percent")
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {*labels, "training, normal", "decision threshold"}


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
