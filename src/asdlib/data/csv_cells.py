"""Cells of CSV files that people open in a spreadsheet.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break as a formula, and names of
recordings and of attributes come from others. Such a cell is written with an apostrophe in front, the defence that
OWASP recommends ("CSV Injection"); numbers are not changed. Where the separator of lists is `;`, a spreadsheet also
splits at the `;` between attributes, so each part of a cell is guarded. Reading takes the apostrophe away again.
"""

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # apostrophes count, so that reading can tell ours from others
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    """Return a cell as it is written: no part of it is a formula."""
    return ";".join(f"'{part}" if _is_formula(part) else part for part in text.split(";"))


def unguarded(text: str) -> str:
    """Return what was written as this cell."""
    return ";".join(part[1:] if _GUARDED.match(part) else part for part in text.split(";"))


def as_csv(table: "pd.DataFrame", path: Path | None = None) -> str | None:
    """Write a table with guarded cells to `path`, or return its text.

    Before Python 3.13, `csv` does not quote a cell with a carriage return, which then ends the row.
    """
    cells = table.map(lambda cell: guarded(cell) if isinstance(cell, str) else cell)
    odd = table.map(lambda cell: isinstance(cell, str) and "\r" in cell).any(axis=None)
    quoting = csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL
    return cells.to_csv(path, index=False, lineterminator="\n", encoding="utf-8", quoting=quoting)


def _is_formula(part: str) -> bool:
    return bool(_FORMULA.match(part)) and not _NUMBER.fullmatch(part)
