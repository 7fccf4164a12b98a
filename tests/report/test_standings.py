"""Which variant is best: what the page says in words, and where the chart has its marks."""

import re
from math import nan

import pandas as pd
import pytest
from report.test_tables import row

from asdlib.report.standings import Standing, chart, standings, verdict


def one(variant: str, score: float, low: float = nan, high: float = nan, reported: float = nan, partial: bool = False):
    return Standing("toy", variant, score, low, high, reported, partial)


SCORE = "official score"
WORDS = {
    "alone": ([one("a", 61.0, 56.1, 66.2)], "toy/a has an official score of 61.00 (95 % interval 56.1 to 66.2)."),
    "apart": (
        [one("a", 61.0, 58, 64), one("b", 55.0, 52, 57.9)],
        "toy/a has the highest official score, 61.00 (95 % interval 58.0 to 64.0); "
        "the intervals of all other variants lie below it.",
    ),
    "touching": (
        [one("a", 61.0, 58, 64), one("b", 55.0, 52, 58)],
        "toy/a has the highest official score, 61.00 (95 % interval 58.0 to 64.0), but its interval overlaps with "
        "that of toy/b, so it may be best by chance.",
    ),
    "an interval is unknown": (
        [one("a", 61.0, 58, 64), one("b", 55.0), one("c", 55.0, 52, 57)],
        "toy/a has the highest official score, 61.00 (95 % interval 58.0 to 64.0); the known intervals of "
        "other variants lie below it. There is no interval of toy/b.",
    ),
    "no other interval is known": (
        [one("a", 61.0, 58, 64), one("b", 55.0)],
        "toy/a has the highest official score, 61.00 (95 % interval 58.0 to 64.0). There is no interval of toy/b.",
    ),
    "its own interval is unknown": (
        [one("a", 61.0), one("b", 55.0, 52, 57)],
        "toy/a has the highest official score, 61.00, but without an interval it may be best by chance.",
    ),
    "equal": (
        [one("a", 61.0, 58, 64), one("b", 61.0, 58, 64)],
        "toy/a and toy/b have the highest official score, 61.00 (95 % interval 58.0 to 64.0).",
    ),
    "many": (
        [one("a", 61.0, 55, 67), *(one(name, 60.0, 54, 66) for name in "bcde"), one("f", 52.0, 51, 53)],
        "toy/a has the highest official score, 61.00 (95 % interval 55.0 to 67.0), but its interval overlaps with "
        "those of 4 of 5 other variants (toy/b, toy/c and 2 others), so it may be best by chance.",
    ),
    "three": (
        [one("a", 61.0, 55, 67), *(one(name, 60.0, 54, 66) for name in "bcd")],
        "toy/a has the highest official score, 61.00 (95 % interval 55.0 to 67.0), but its interval overlaps with "
        "those of 3 of 3 other variants (toy/b, toy/c and toy/d), so it may be best by chance.",
    ),
    "chance": (
        [one("a", 51.0, 48, 54)],
        "toy/a has an official score of 51.00 (95 % interval 48.0 to 54.0). Chance (50) lies within this interval.",
    ),
    "down to chance": (
        [one("a", 53.0, 50, 56)],
        "toy/a has an official score of 53.00 (95 % interval 50.0 to 56.0). Chance (50) lies within this interval.",
    ),
    "up to chance": (
        [one("a", 47.0, 44, 50)],
        "toy/a has an official score of 47.00 (95 % interval 44.0 to 50.0). Chance (50) lies within this interval.",
    ),
    "worse than chance": (
        [one("a", 41.0, 38, 44)],
        "toy/a has an official score of 41.00 (95 % interval 38.0 to 44.0). Chance (50) lies above this interval.",
    ),
    "other means": (
        [one("a", 61.0, 58, 64), one("b", 75.0, 72, 77, partial=True)],
        "toy/a has an official score of 61.00 (95 % interval 58.0 to 64.0). "
        "Scores with * are means of other figures and are left out of this comparison.",
    ),
    "only other means": (
        [one("a", 61.0, 58, 64, partial=True), one("b", 55.0, 52, 57, partial=True)],
        "toy/a has the highest official score, 61.00 (95 % interval 58.0 to 64.0); "
        "the intervals of all other variants lie below it.",
    ),
    "nothing": (
        [],
        "There is no official score: labels are missing, or a machine has not been scored.",
    ),
}


@pytest.mark.parametrize(("found", "said"), WORDS.values(), ids=WORDS)
def test_the_best_is_said_with_what_its_interval_allows(found: list[Standing], said: str) -> None:
    assert verdict(found, SCORE) == said


def test_reported_scores_are_counted_by_where_they_lie() -> None:
    found = [one("a", 61.0, 58, 64, 60.0), one("b", 61.0, 58, 64, 65.0), one("c", 61.0, 58, 64, 64.0), one("d", 61.0)]
    assert verdict(found, SCORE).endswith(" Of 3 reported scores, 2 within, 1 above our intervals.")
    assert verdict(found[1:2], SCORE).endswith(" The reported score of toy/b lies above our interval.")
    found += [one("e", 61.0, 58, 64, 58.0), one("f", 61.0, 58, 64, 57.9)]
    assert verdict(found, SCORE).endswith(" Of 5 reported scores, 3 within, 1 above, 1 below our intervals.")
    assert verdict(found[-1:], SCORE).endswith(" The reported score of toy/f lies below our interval.")


def test_the_marks_of_the_chart_are_on_one_scale() -> None:
    drawn = chart([one("a", 61.0, 58, 64, 56.0), one("b", 48.0, partial=True)], SCORE)
    assert [(tick["text"], tick["at"]) for tick in drawn["ticks"]] == [
        ("45", 0), ("50", 25), ("55", 50), ("60", 75), ("65", 100)
    ]  # fmt: skip
    first, second = drawn["lines"]
    assert (first["low"], first["score"], first["high"], first["reported"]) == (65, 80, 95, 55)
    assert (second["low"], second["reported"]) == (None, None)
    assert [(line["name"], line["text"]) for line in drawn["lines"]] == [("toy/a", "61.00"), ("toy/b", "48.00 *")]
    assert drawn["chance"] == 25
    assert drawn["alt"] == ("Official score: toy/a 61.00, interval 58.0 to 64.0, reported 56.00; toy/b 48.00.")


@pytest.mark.parametrize(
    "figures",
    [(0, 0, 0, 50), (50, 50, 50, 50), (100, 100, 100, 50), (60, 31, 64, 60), (60, 58, 89, 60), (60, 58, 64, 12)],
    ids=str,
)
def test_no_mark_lies_outside_of_the_chart(figures: tuple[float, float, float, float]) -> None:
    drawn = chart([one("a", *figures)], SCORE)
    assert all(0 <= drawn["lines"][0][name] <= 100 for name in ("low", "score", "high", "reported"))
    assert len(drawn["ticks"]) > 1


@pytest.mark.parametrize(("score", "ticks"), [(75.0, "50 55 60 65 70 75"), (75.1, "50 60 70 80")])
def test_a_wide_chart_has_a_tick_every_ten(score: float, ticks: str) -> None:
    assert [tick["text"] for tick in chart([one("a", score)], SCORE)["ticks"]] == ticks.split()


def test_without_scores_there_is_no_chart() -> None:
    assert chart([], SCORE) is None


def test_the_score_is_that_of_the_datasets_definition_over_the_seeds() -> None:
    rows = [row(hmean=61.0, hmean_low=58.0, hmean_high=64.0, reported_hmean=60.0), row(variant="b"), row(machine="fan")]
    assert standings(pd.DataFrame(rows), "here") == [one("a", 61.0, 58.0, 64.0, 60.0)]
    seeds = [
        row(seed=seed, metric="2020", amean=score) for seed, score in (("1", 60), ("2", 70), ("mean", 65), ("sd", 7))
    ]
    assert [found.score for found in standings(pd.DataFrame(seeds), "here")] == [65]


def test_a_mean_of_other_figures_is_known_as_one() -> None:
    rows = [row(hmean=61.0, mean_of="auc_source auc_target pauc"), row(variant="b", hmean=75.0, mean_of="auc pauc")]
    assert [found.partial for found in standings(pd.DataFrame(rows), "here")] == [False, True]


def test_the_chart_says_all_its_numbers() -> None:
    found = [one("a", 61.0, 58, 64, 56.0), one("b", 48.0)]
    assert re.findall(r"\d+\.\d+", chart(found, SCORE)["alt"]) == ["61.00", "58.0", "64.0", "56.00", "48.00"]
