"""Attributes tables: `attributes_<section>.csv` in a machine's folder."""

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from asdlib.data.listing import bare_name, refuse_special
from asdlib.data.text_files import read_csv
from asdlib.errors import AsdError

Rows = dict[str, tuple[Path, dict[str, str]]]


def read_attributes(paths: Iterable[Path]) -> tuple[Rows, list[str]]:
    """Return the rows of attributes tables as {bare file name: (file, {parameter: value})}, and what is lost of them.

    All three styles of the challenge are read: the column `file_name` holds a path with `.wav` or a bare name, and the
    table of a machine without attributes has no other column.
    """
    rows: Rows = {}
    problems: list[str] = []
    for path in paths:
        lines = _read_csv(path)
        if not lines or lines[0][:1] != ["file_name"]:
            raise AsdError(f"{path}: has no header file_name,d1p,d1v,…: add one")
        for number, line in enumerate(lines[1:], 2):
            if not any(line):
                continue
            name = bare_name(line[0])
            if len(line) % 2 == 0 or not name:
                raise AsdError(
                    f"{path}, line {number}: expected a file name and pairs of parameter and value: correct it"
                )
            if name in rows:
                raise AsdError(f"{path}, line {number}: {name} already has a row: remove one of them")
            pairs = list(zip(line[1::2], line[2::2], strict=True))
            problems += [f"{path}, line {number}: {problem}" for problem in _losses(pairs)]
            rows[name] = path, {key: value for key, value in pairs if key}
    return rows, problems


def _losses(pairs: list[tuple[str, str]]) -> Iterator[str]:
    """Yield a message for each value in a row that is lost."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if value and not key:
            yield f"the value {value} has no parameter: add its name before it"
        elif found.setdefault(key, value) != value:
            yield f"the parameter {key} occurs twice: remove one of them"


def _read_csv(path: Path) -> list[list[str]]:
    refuse_special(path)
    try:
        return [[unicodedata.normalize("NFC", cell.strip()) for cell in row] for _, row in read_csv(path)]
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    except csv.Error as error:
        raise AsdError(f"{path}: is not a CSV file ({error}): save it again") from error
