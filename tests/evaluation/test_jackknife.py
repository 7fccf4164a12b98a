"""Fast leave-one-out values against their definition, and the width of the confidence interval."""

import math
from dataclasses import replace
from statistics import fmean, harmonic_mean

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from asdlib.evaluation.figures import DEFINITIONS, SINCE_2022, Definition
from asdlib.evaluation.jackknife import (
    _half_width,
    evaluator_ci95,
    half_widths,
    leave_one_out_auc,
    leave_one_out_figures,
    leave_one_out_pauc,
    leave_one_recording_out_figures,
    official_ci95,
)
from asdlib.evaluation.metrics import auc, pauc, section_areas
from asdlib.evaluation.section_figures import figures_of


@pytest.mark.parametrize("size", [5, 12, 41, 83])
@pytest.mark.parametrize("decimals", [8, 0, -3], ids=["continuous", "ties", "constant"])
def test_leave_one_out(size: int, decimals: int):
    rng = np.random.default_rng(size)
    labels = rng.permutation(np.arange(size) % 2)
    scores = np.round(rng.normal(size=size) + labels, decimals)
    for fast, metric in ((leave_one_out_auc, auc), (leave_one_out_pauc, pauc)):
        slow = [metric(np.delete(labels, i), np.delete(scores, i)) for i in range(size)]
        np.testing.assert_allclose(fast(labels, scores), slow, rtol=0, atol=1e-14)


def test_the_interval_is_that_of_students_distribution():
    for size in (2, 3, 10, 400):
        replicates = np.random.default_rng(size).normal(size=size)
        variance = (size - 1) / size * np.sum((replicates - replicates.mean()) ** 2)
        assert _half_width(replicates) == stats.t.ppf(0.975, size - 1) * np.sqrt(variance)


def test_a_class_with_one_clip_has_no_interval():
    labels, scores = [0, 0, 1], [1.0, 2.0, 3.0]
    assert math.isnan(evaluator_ci95(labels, scores))
    assert math.isnan(official_ci95([(labels, ["source", "target", "source"], scores)]))


def draw(rng: np.random.Generator) -> list[tuple]:
    labels, domains = np.tile([0, 1], 60), np.repeat(["source", "target"], 60)
    return [(labels, domains, rng.normal(size=120) + gain * labels + 0.3 * (domains == "target")) for gain in (1, 2)]


def official(sections: list[tuple], definition: Definition = SINCE_2022) -> float:
    areas = [value for clips in sections for value in section_areas(definition, *clips)]
    return fmean(areas) if definition.name == "2020" else harmonic_mean(areas)


def test_the_interval_is_as_wide_as_the_score_varies():
    rng = np.random.default_rng(5)
    draws = [draw(rng) for _ in range(80)]
    spread = np.std([official(sections) for sections in draws], ddof=1)
    half_width = np.mean([official_ci95(sections) for sections in draws])
    assert half_width == pytest.approx(1.96 * spread, rel=0.2)


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_official_interval_leaves_each_clip_out_of_its_own_section(definition: Definition):
    sections = draw(np.random.default_rng(8))
    left_out = []
    for index, clips in enumerate(sections):
        for clip in range(len(clips[0])):
            without = tuple(np.delete(column, clip) for column in clips)
            left_out.append(official([*sections[:index], without, *sections[index + 1 :]], definition))
    n = len(left_out)
    expected = 1.9699 * np.sqrt((n - 1) * np.var(left_out))  # Student's 97.5 % quantile for 239 degrees of freedom
    assert official_ci95(sections, definition) == pytest.approx(expected, rel=1e-4)


def test_recordings_that_are_clips_have_the_interval_of_clips():
    sections = draw(np.random.default_rng(8))
    names = [[f"{clip:03}" for clip in range(len(labels))] for labels, *_ in sections]
    found = leave_one_recording_out_figures(SINCE_2022, sections, names)
    np.testing.assert_allclose(found, leave_one_out_figures(SINCE_2022, sections), rtol=0, atol=1e-14)


def test_pieces_of_a_recording_do_not_narrow_the_interval():
    """Six copies of every clip say nothing new; clip by clip, the interval is narrower by a factor of about √6."""
    sections = draw(np.random.default_rng(8))
    pieces = [tuple(np.repeat(column, 6) for column in clips) for clips in sections]
    names = [np.repeat(np.arange(len(labels)), 6) for labels, *_ in sections]
    whole = half_widths(leave_one_out_figures(SINCE_2022, sections))
    by_recording = half_widths(leave_one_recording_out_figures(SINCE_2022, pieces, names))
    np.testing.assert_allclose(by_recording, whole, rtol=0.05)
    by_piece = half_widths(leave_one_out_figures(SINCE_2022, pieces))
    np.testing.assert_allclose(by_piece * np.sqrt(6), whole, rtol=0.1)


def test_a_class_with_one_recording_has_no_interval():
    labels = np.repeat([0, 0, 1], 3)
    clips = labels, np.repeat("source", 9), np.arange(9.0)
    definition = replace(SINCE_2022, areas=tuple(area for area in SINCE_2022.areas if area.partial))
    found = leave_one_recording_out_figures(definition, [clips], [np.repeat([0, 1, 2], 3)])
    assert np.isnan(half_widths(found)).all()


def test_a_table_s_intervals_are_those_of_files():
    labels, domains, scores = draw(np.random.default_rng(8))[0]
    names = np.where(labels == 1, "anomaly", "normal")
    clips = pd.DataFrame({"label": names, "domain": domains, "anomaly_score": scores})
    clips["file"] = [f"{number}.wav" for number in range(len(clips))]
    whole, pieces = (figures_of([given], SINCE_2022).left_out for given in (clips, pd.concat([clips] * 6)))
    assert whole.shape == pieces.shape == (len(clips), len(SINCE_2022.shown))
    np.testing.assert_allclose(half_widths(pieces), half_widths(whole), rtol=0.05)


def test_a_figure_without_clips_is_unknown_without_each_file_too():
    """Sections of two and of three recordings of a label, each in two pieces, without the target domain."""
    sections = [
        pd.DataFrame(
            {
                "label": np.repeat(["normal", "anomaly"], 2 * count),
                "domain": "source",
                "anomaly_score": np.arange(4.0 * count) % 7,
                "file": np.repeat([f"{number}.wav" for number in range(2 * count)], 2),
            }
        )
        for count in (2, 3)
    ]
    found = figures_of(sections, SINCE_2022)
    assert found.left_out.shape == (4 + 6, len(SINCE_2022.shown))
    target = SINCE_2022.shown.index("auc_target")
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [target]
    assert np.flatnonzero(np.isnan(half_widths(found.left_out))).tolist() == [target]
