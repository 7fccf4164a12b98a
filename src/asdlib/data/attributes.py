"""Attributes tables: `attributes_<section>.csv` in a machine's folder."""

import csv
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from asdlib.data.listing import bare_name, refuse_special
from asdlib.data.text_files import read_csv
from asdlib.errors import AsdError


def read_attributes(paths: Iterable[Path]) -> dict[str, tuple[Path, dict[str, str]]]:
    """Return the rows of attributes tables as {bare file name: (file, {parameter: value})}.

    All three styles of the challenge are read: the column `file_name` holds a path with `.wav` or a bare name, and the
    table of a machine without attributes has no other column.
    """
    rows: dict[str, tuple[Path, dict[str, str]]] = {}
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
            rows[name] = path, _parameters(f"{path}, line {number}", line[1:])
    return rows


def _parameters(where: str, cells: list[str]) -> dict[str, str]:
    """Return {parameter: value} of the pairs in a row; raise AsdError for a value that would be lost."""
    found: dict[str, str] = {}
    for key, value in zip(cells[::2], cells[1::2], strict=True):
        if value and not key:
            raise AsdError(f"{where}: the value {value} has no parameter: add its name before it")
        if key in found:
            raise AsdError(f"{where}: the parameter {key} occurs twice: remove one of them")
        if key:
            found[key] = value
    return found


def _read_csv(path: Path) -> list[list[str]]:
    refuse_special(path)
    try:
        return [[unicodedata.normalize("NFC", cell.strip()) for cell in row] for _, row in read_csv(path)]
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    except csv.Error as error:
        raise AsdError(f"{path}: is not a CSV file ({error}): save it again") from error
