"""Columns that are taken as attributes: how they are named, and which of them look like labels."""

from pathlib import Path

import pytest

from asdlib.data.layouts.recording import Found
from asdlib.data.layouts.table import read_table


def read(folder: Path, header: str, *rows: str) -> Found:
    """Read a table with as many recordings as rows."""
    lines = []
    for number, row in enumerate(rows):
        (folder / f"{number}.wav").touch()
        lines.append(f"{number}.wav;{row}")
    (folder / "pump.csv").write_text("\n".join([f"file;{header}", *lines]), encoding="utf-8")
    return read_table(folder / "pump.csv")


def test_a_misnamed_label_is_named(tmp_path: Path) -> None:
    rows = [f"pump;{verdict};{speed}" for verdict in ("OK", "NOK") for speed in (1500, 900, 1200, 1800)]
    found = read(tmp_path, "machine;Zustand;Drehzahl", *rows)
    assert found.understood[-1] == "attributes: Zustand (NOK, OK), Drehzahl (900, 1200, 1500, …)"
    assert found.doubts == [
        "column Zustand (NOK, OK) is taken as an attribute, but looks like a label: name it label and use the values "
        "normal and anomaly, if it says which clips are faulty"
    ]


LIKE_LABELS = {
    "by its name": ("State", ["new", "worn"], True),
    "in capitals": ("ERGEBNIS", ["1", "2"], True),
    "by its values": ("Pruefung", ["i.O.", "n. i. O."], True),
    "by one value": ("check", ["Pass", "Pass"], True),
    "with unknown values": ("check", ["ng", ""], True),
    "another value": ("check", ["ok", "worn"], False),
    "an attribute": ("speed", ["900", "1200"], False),
    "an empty column": ("status", ["", ""], False),
    "a label": ("Label", ["normal", "anomaly"], False),
}


@pytest.mark.parametrize(("name", "values", "doubted"), LIKE_LABELS.values(), ids=LIKE_LABELS)
def test_which_columns_look_like_labels(tmp_path: Path, name: str, values: list[str], doubted: bool) -> None:
    assert len(read(tmp_path, name, *values).doubts) == doubted


def test_beside_a_label_nothing_looks_like_one(tmp_path: Path) -> None:
    found = read(tmp_path, "label;condition", "normal;good", "anomaly;bad")
    assert (found.doubts, found.understood[-1]) == ([], "attributes: condition (bad, good)")


def test_the_line_stays_short(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(12)]
    found = read(tmp_path, ";".join(names), ";".join(["x" * 40, *"b" * 11]))
    line = found.understood[-1]
    assert line.startswith(f"attributes: c0 ({'x' * 30}…), c1 (b), ")
    assert line.endswith(", c9 (b) and 2 more")
    found = read(tmp_path, ";".join(names[:10]), ";".join(["x" * 30, *"b" * 9]))
    line = found.understood[-1]
    assert line.startswith(f"attributes: c0 ({'x' * 30}), ")
    assert line.endswith(", c9 (b)"), "nothing is left out"
    assert read(tmp_path, "session", "monday").understood[-1] == "no column section: every clip is of section 00"


def test_numbers_are_in_their_order(tmp_path: Path) -> None:
    found = read(tmp_path, "speed", "high", "1e3", "nan", "20")
    assert found.understood[-1] == "attributes: speed (20, 1e3, high, …)"
