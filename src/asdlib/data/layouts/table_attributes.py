"""The columns of a table of clips that are taken as attributes: a line that names them, and which look like labels.

A misnamed column of labels would otherwise be an attribute, and faulty clips would be trained on as normal ones.
"""

from collections.abc import Iterable, Sequence

LABELS = {
    "label", "labels", "class", "status", "result", "state", "condition", "anomaly", "zustand", "ergebnis",
}  # fmt: skip
VERDICTS = {"ok", "nok", "io", "nio", "normal", "anomaly", "abnormal", "good", "bad", "ng", "pass", "fail"}
_SHOWN = 3  # values of a column
_COLUMNS = 10  # that are named
_LENGTH = 30  # characters of a value; some columns are remarks
Columns = dict[str, list[str]]


def columns_of(header: Sequence[str], attributes: Iterable[dict[str, str]]) -> Columns:
    """Return the different values of every column of attributes that has some, in the order of the header."""
    values: dict[str, set[str]] = {name: set() for name in header}
    for known in attributes:
        for name, value in known.items():
            values[name].add(value)
    return {name: sorted(found, key=_order) for name, found in values.items() if found}


def attributes_line(columns: Columns) -> list[str]:
    """Return one phrase that names the columns with some of their values; none without attributes."""
    if not columns:
        return []
    named = [f"{name} ({_some(values)})" for name, values in columns.items()]
    more = f" and {len(named) - _COLUMNS} more" if len(named) > _COLUMNS else ""
    return [f"attributes: {', '.join(named[:_COLUMNS])}{more}"]


def like_labels(columns: Columns) -> list[str]:
    """Return a phrase for each column that looks like a label, by its name or by all its values."""
    remedy = "name it label and use the values normal and anomaly, if it says which clips are faulty"
    return [
        f"column {name} ({_some(values)}) is taken as an attribute, but looks like a label: {remedy}"
        for name, values in columns.items()
        if name.casefold() in LABELS or all(map(_is_verdict, values))
    ]


def _is_verdict(value: str) -> bool:
    return value.casefold().replace(".", "").replace(" ", "") in VERDICTS  # also i.O. and n. i. O.


def _some(values: Sequence[str]) -> str:
    shown = [value if len(value) <= _LENGTH else f"{value[:_LENGTH]}…" for value in values[:_SHOWN]]
    return ", ".join([*shown, "…"] if len(values) > _SHOWN else shown)


def _order(value: str) -> tuple[bool, float, str]:
    """Sort numbers by their size, before texts."""
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return (False, number, value) if number == number else (True, 0.0, value)  # "nan" has no place among numbers
