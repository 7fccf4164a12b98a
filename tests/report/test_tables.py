"""The page's tables: what stands beside what, and in which colour."""

import re
from contextlib import nullcontext
from math import nan
from typing import Any

import pandas as pd
import pytest
from helpers.official import SCORE_COLUMNS

from asdlib.errors import AsdError
from asdlib.evaluation.score_table import ALL_FIGURES, DECISION_FIGURES, PROMISED, REPORTED, bounds
from asdlib.report import tables
from asdlib.report.settings import ShownSystem


def row(**values: str | float) -> dict[str, Any]:
    known = {"system": "toy", "variant": "a", "dataset": "here", "machine": "all", "seed": "1"}
    ends = [end for figure in ALL_FIGURES for end in bounds(figure)]
    numbers = dict.fromkeys([*ALL_FIGURES, *ends, *DECISION_FIGURES, PROMISED, *REPORTED], nan)
    return dict.fromkeys(SCORE_COLUMNS, "") | {"metric": "2022"} | numbers | known | values


def overview(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return tables.overview(pd.DataFrame(rows), "here")


def test_a_difference_has_a_sign_and_a_colour() -> None:
    above, below = row(hmean=61.234, reported_hmean=60.0), row(variant="b", hmean=59.0, reported_hmean=60.5)
    better, worse = [line["figures"][0] for line in overview(above, below)]
    assert (better["ours"], better["reported"], better["difference"]["text"]) == ("61.23", "60.00", "+1.23")
    assert worse["difference"]["text"] == "−1.50"
    assert better["difference"]["colour"] != worse["difference"]["colour"]


def test_colours_say_how_far_and_in_which_direction() -> None:
    """Orange is worse, white the same, blue better: in full from 10 points of difference, and 25 from chance, on."""
    orange, half_orange, white, half_blue, blue = "#f7aa52", "#fbd4a8", "#ffffff", "#bcdaec", "#7ab6d9"
    for points, colour in ((-90, orange), (-10, orange), (-5, half_orange), (0, white), (5, half_blue), (10, blue)):
        (line,) = overview(row(hmean=50.0 + points, reported_hmean=50.0))
        assert line["figures"][0]["difference"]["colour"] == colour
    machines = {"a": 25.0, "b": 37.5, "c": 50.0, "d": 62.5, "e": 75.0, "f": nan}
    rows = [row(machine=machine, section="00", hmean=figure) for machine, figure in machines.items()]
    (line,) = tables.by_machine(pd.DataFrame(rows), "here")["lines"]
    shown = [cell["colour"] for cell in line["cells"]]
    assert shown == [orange, half_orange, white, half_blue, blue, None]
    assert overview(row(hmean=50.0, reported_hmean=50.0))[0]["figures"][0]["difference"]["text"] == "+0.00"


def test_the_figures_are_those_of_the_datasets_definition() -> None:
    own = {"dataset": "old", "machine": "fan", "section": "00", "metric": "2020"}
    rows = pd.DataFrame([row(hmean=61.0), row(**own, amean=70.0, amean_low=65.4, amean_high=74.6, auc=80.0, pauc=60.0)])
    assert tables.titles(rows, "here") == ["h-mean", "AUC source", "AUC target", "pAUC"]
    assert tables.titles(rows, "old") == ["a-mean", "AUC", "pAUC"]
    assert [tables.score_title(rows, name) for name in ("here", "old")] == ["official score", "a-mean"]
    (line,) = tables.full(rows, "old")
    assert [figure["ours"] for figure in line["figures"]] == ["70.00", "80.00", "60.00"]
    assert [figure["interval"] for figure in line["figures"]] == ["65–75", "", ""]
    assert tables.by_machine(rows, "old")["lines"][0]["cells"][0]["text"] == "70.00"


def test_other_means_and_broken_promises_are_marked() -> None:
    decided = {"auc": 80.0, "false_alarms": 25.0, "recall": 50.0, "promised": 10.0}
    rows = [row(hmean=61.0, mean_of="auc pauc", **decided), row(variant="b", hmean=61.0, note="see pump 00")]
    rows[1] |= {**decided, "false_alarms": 20.0, "mean_of": "auc_source auc_target pauc"}
    one, two = tables.full(pd.DataFrame(rows), "here")
    assert [line["figures"][0]["ours"] for line in (one, two)] == ["61.00 *", "61.00"]
    assert one["decisions"] == ["80.00", "25.00 !", "50.00", "–", "–"]
    assert (two["decisions"][1], one["note"], two["note"]) == ("20.00", "", "see pump 00")


def test_missing_figures_are_dashes_without_colour() -> None:
    for lone in (row(hmean=61.0), row(reported_hmean=61.0), row()):
        (line,) = overview(lone)
        assert line["figures"][0]["difference"] == {"text": "–", "colour": None}


def test_a_figure_is_compared_where_any_variant_has_a_reported_one() -> None:
    assert tables.compared_figures(overview(row(hmean=61.0))) == [False] * 4
    both = overview(row(hmean=61.0), row(variant="b", reported_pauc=61.0))
    assert tables.compared_figures(both) == [False, False, False, True]
    assert tables.compared_figures([]) == []


def test_several_seeds_show_mean_and_standard_deviation() -> None:
    rows = [row(seed=seed, hmean=figure) for seed, figure in (("1", 50.0), ("2", 54.0), ("sd", 2.8284))]
    rows.insert(2, row(seed="mean", hmean=52.0, hmean_low=46.6, hmean_high=57.4, reported_hmean=53.0))
    (line,) = overview(*rows)
    assert line["figures"][0] == {
        "ours": "52.00 ± 2.83",
        "interval": "47–57",
        "reported": "53.00",
        "difference": {"text": "−1.00", "colour": line["figures"][0]["difference"]["colour"]},
    }
    assert tables.seeds(pd.DataFrame(rows)) == [1, 2]
    assert [line["row"]["seed"] for line in tables.full(pd.DataFrame(rows), "here")] == ["1", "2", "mean", "sd"]


def test_seeds_follow_each_other_as_numbers() -> None:
    rows = pd.DataFrame([
        row(seed=seed, variant=name, recipe=f"{name}-{seed}" if seed != "mean" else "")
        for seed in ("10", "9", "mean") for name in ("b", "a")
    ])  # fmt: skip
    assert tables.seeds(rows) == [9, 10]
    assert tables.recipes(rows) == [("b", 9, "b-9"), ("b", 10, "b-10"), ("a", 9, "a-9"), ("a", 10, "a-10")]


def test_machines_are_columns_and_sections_only_where_there_are_several() -> None:
    rows = [row(machine=m, section=s, hmean=50.0) for m, s in (("fan", "00"), ("pump", "00"))]
    assert tables.by_machine(pd.DataFrame(rows), "here")["columns"] == ["fan", "pump"]
    rows += [row(machine="pump", section=s, hmean=figure) for s, figure in (("02", 60.0), ("all", 55.0))]
    rows.append(row(hmean=53.0))
    rows += [{**one, "variant": "b"} for one in rows]
    found = tables.by_machine(pd.DataFrame(rows), "here")
    assert found["columns"] == ["fan", "pump 00", "pump 02", "pump"]
    shown = [[cell["text"] for cell in line["cells"]] for line in found["lines"]]
    assert shown == [["50.00", "50.00", "60.00", "55.00"]] * 2
    assert [line["figures"][0]["ours"] for line in tables.overview(pd.DataFrame(rows), "here")] == ["53.00"] * 2


@pytest.mark.parametrize(
    ("left", "complete"),
    [(["00", "02", "all"], True), (["00", "02"], False), (["all"], True), (["00"], True)],
    ids=["several sections", "without the machine's row", "only the machine's row", "one section"],
)
def test_a_machine_with_several_sections_needs_the_row_of_all_of_them(left: list[str], complete: bool) -> None:
    system = ShownSystem("toy", "A toy", None, ["a"], [], {}, [])
    rows = pd.DataFrame([*(row(machine="pump", section=section) for section in left), row()])
    with nullcontext() if complete else pytest.raises(AsdError, match=r"has no row of a/here/pump, seed 1: delete it"):
        tables.refuse_gaps(rows, system, {"here": ["pump"]}, [1])


@pytest.mark.parametrize("difference", [-90.0, -5.0, 0.0, 5.0, 90.0])
def test_text_is_readable_on_every_colour(difference: float) -> None:
    line = overview(row(hmean=difference, reported_hmean=0.0))[0]
    assert contrast("#1d1f21", line["figures"][0]["difference"]["colour"]) > 7


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    lights = []
    for colour in (one, other):
        parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)
