"""The reports' own figures, in percent, from `resources/reported/<system>.csv` (see the README there)."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.data.text_files import read_csv
from asdlib.errors import AsdError
from asdlib.evaluation.figures import AREAS, FIGURES
from asdlib.evaluation.metrics import harmonic_mean
from asdlib.workflow.words import ALL

KEYS = ("variant", "dataset", "machine")
COLUMNS = (*KEYS, *FIGURES, "note")


def load_reported(path: Path) -> pd.DataFrame:
    """Return the reported figures, indexed by variant, dataset and machine; the machine of overall figures is `ALL`.

    A figure that the report does not give is NaN. Raises AsdError, naming file and line, for a wrong header, an empty
    key, a figure that is not a percentage, and a repeated row.
    """
    if not Path(path).is_file():
        raise AsdError(f"{path}: no such file: write the table of reported figures, or its header alone")
    rows: dict[tuple[str, ...], list[Any]] = {}
    (_, header), *lines = list(read_csv(path)) or [(1, [])]  # pandas would not say on which line a wrong row is
    _check_header(path, tuple(header))
    for number, row in lines:
        if not row:
            continue
        key, figures = _parse(row, f"{path}, line {number}")
        if key in rows:
            raise AsdError(f"{path}, line {number}: {' '.join(key)} is repeated: keep one row")
        rows[key] = figures
    return _frame(rows, [*FIGURES, "note"])


def nothing_reported() -> pd.DataFrame:
    """Return the table of a system without reported figures."""
    return _frame({}, [*FIGURES, "note"])


def recomputed_overall(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the overall figures of every variant and dataset (machine `ALL`), recomputed from its machines' rows.

    A variant without complete rows of machines is left out.
    """
    machines = reported[reported.index.get_level_values("machine") != ALL]
    groups = machines.groupby(["variant", "dataset"], sort=False)
    overall = {(*key, ALL): overall_figures(rows) for key, rows in groups}
    return _frame(overall, list(FIGURES)).dropna()


def overall_figures(rows: pd.DataFrame) -> list[float]:
    """Return `FIGURES` of several machines and sections together, in percent; all NaN if any value is missing.

    Each is the harmonic mean of its column, and `hmean`, the official score, that of all three columns.
    """
    columns = rows[list(AREAS)].to_numpy(dtype=float).T
    if not columns.size or math.isnan(columns.sum()):
        return [math.nan] * len(FIGURES)
    return [*map(harmonic_mean, columns), harmonic_mean(columns.ravel())]


def _frame(rows: dict[tuple[str, ...], list[Any]], columns: list[str]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(rows, names=KEYS)
    return pd.DataFrame(rows.values(), index=index, columns=columns).astype(dict.fromkeys(FIGURES, float))


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    unknown = [column for column in header if column not in COLUMNS]
    if unknown:
        raise AsdError(f"{path}, line 1: unknown column {unknown[0]!r}: the header is {','.join(COLUMNS)}")
    if header != COLUMNS:
        raise AsdError(f"{path}, line 1: columns missing or in another order: the header is {','.join(COLUMNS)}")


def _parse(row: list[str], where: str) -> tuple[tuple[str, ...], list[Any]]:
    if len(row) != len(COLUMNS):
        raise AsdError(f"{where}: {len(row)} columns instead of {len(COLUMNS)}: quote a note that has a comma")
    key, figures, note = tuple(row[: len(KEYS)]), row[len(KEYS) : -1], row[-1]
    if not all(key):
        raise AsdError(f"{where}: variant, dataset or machine is empty: fill in all three")
    numbers = [_percentage(text, f"{where}: {column}") for column, text in zip(FIGURES, figures, strict=True)]
    return key, [*numbers, note]


def _percentage(text: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text.replace("_", "?"))  # Python would read 1_0 as 10
    except ValueError:
        raise AsdError(f"{where} is {text!r}: write a number, or nothing") from None
    if not 0 <= value <= 100:
        raise AsdError(f"{where} is {text}: write a percentage between 0 and 100")
    return value
