"""The reports' own figures, in percent, from `resources/reported/<system>.csv` (see the README there)."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asdlib.errors import AsdError
from asdlib.evaluation.metrics import harmonic_mean

FIGURES = ("auc_source", "auc_target", "pauc", "hmean")
COLUMNS = ("variant", "dataset", "machine", *FIGURES, "note")
ALL = "all"  # the machine of a row with overall figures


@dataclass(frozen=True, slots=True)
class Reported:
    """The figures of one row in percent; None where the report gives none."""

    auc_source: float | None
    auc_target: float | None
    pauc: float | None
    hmean: float | None
    note: str = ""


Key = tuple[str, str, str]  # variant, dataset, machine


def load_reported(path: Path) -> dict[Key, Reported]:
    """Reported figures by (variant, dataset, machine); `ALL` stands for the overall row.

    Raises AsdError, naming file and line, for another header, an empty key, a figure that is no percentage,
    or a row that comes twice.
    """
    if not Path(path).is_file():
        raise AsdError(f"{path}: no such file: write the table of reported figures, or its header alone")
    table: dict[Key, Reported] = {}
    with Path(path).open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        _check_header(path, tuple(next(reader, ())))
        for row in filter(None, reader):
            key, reported = _parse(row, f"{path}, line {reader.line_num}")
            if key in table:
                raise AsdError(f"{path}, line {reader.line_num}: {' '.join(key)} comes twice: keep one row")
            table[key] = reported
    return table


def recomputed_overall(table: Mapping[Key, Reported], variant: str, dataset: str) -> Reported | None:
    """Overall figures as harmonic means of the machines' rows, for reports that print none.

    `hmean` is the flat harmonic mean of all AUC (source), AUC (target) and pAUC. None if there are no machine
    rows, or one of them is incomplete.
    """
    rows = [row for key, row in table.items() if key[:2] == (variant, dataset) and key[2] != ALL]
    columns = [[row.auc_source for row in rows], [row.auc_target for row in rows], [row.pauc for row in rows]]
    flat = [value for column in columns for value in column]
    if not flat or None in flat:
        return None
    return Reported(*map(harmonic_mean, columns), harmonic_mean(flat), "recomputed from the machines' rows")


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    unknown = [column for column in header if column not in COLUMNS]
    if unknown:
        raise AsdError(f"{path}, line 1: unknown column {unknown[0]!r}: the header is {','.join(COLUMNS)}")
    if header != COLUMNS:
        raise AsdError(f"{path}, line 1: columns missing or in another order: the header is {','.join(COLUMNS)}")


def _parse(row: list[str], place: str) -> tuple[Key, Reported]:
    if len(row) != len(COLUMNS):
        raise AsdError(f"{place}: {len(row)} columns instead of {len(COLUMNS)}: quote a note that has a comma")
    variant, dataset, machine, *figures, note = row
    if not (variant and dataset and machine):
        raise AsdError(f"{place}: variant, dataset or machine is empty: name all three")
    numbers = [_percentage(text, f"{place}: {column}") for column, text in zip(FIGURES, figures, strict=True)]
    return (variant, dataset, machine), Reported(*numbers, note)


def _percentage(text: str, place: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace("_", "?"))  # Python would read 1_0 as 10
    except ValueError:
        raise AsdError(f"{place} is {text!r}: write a number, or nothing") from None
    if not 0 <= value <= 100:
        raise AsdError(f"{place} is {text}: write a percentage between 0 and 100")
    return value
