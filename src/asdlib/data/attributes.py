"""Attributes tables: `attributes_<section>.csv` in a machine's folder."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from asdlib.data.clip import Clip
from asdlib.data.listing import bare_name, refuse_special
from asdlib.data.text_files import delimiter, read_csv
from asdlib.errors import AsdError, and_more

Rows = dict[str, tuple[Path, dict[str, str]]]


def read_attributes(paths: Iterable[Path]) -> tuple[Rows, list[str]]:
    """Return the rows of attributes tables as {bare file name: (file, {parameter: value})}, and what is lost of them.

    All three styles of the challenge are read: the column `file_name` holds a path with `.wav` or a bare name, and the
    table of a machine without attributes has no other column. A parameter that occurs again with another value is
    numbered: `mic`, `mic_2`. What is wrong in several rows is one message.
    """
    rows: Rows = {}
    problems: dict[tuple[Path, str], list[int]] = {}
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
            values = _numbered(pairs)
            for problem in _problems(pairs, values):
                problems.setdefault((path, problem), []).append(number)
            rows[name] = path, values
    return rows, [f"{path}, {_lines(found)}: {problem}" for (path, problem), found in problems.items()]


def with_case_of_training(clips: list[Clip]) -> list[Clip]:
    """Return the clips with the attributes of test clips written as in the training clips, if only case differs.

    The names of 2026 have `pro_Y` for the training clips of a gearbox and `pro_y` for some of its test clips.
    """
    written = {pair for clip in clips if clip.kind == "train" for pair in clip.attributes.items()}
    folded: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for key, value in written:
        folded.setdefault((key.casefold(), value.casefold()), set()).add((key, value))

    def spelled(pair: tuple[str, str]) -> tuple[str, str]:
        alike = folded.get((pair[0].casefold(), pair[1].casefold()), set())
        return next(iter(alike)) if pair not in written and len(alike) == 1 else pair

    return [
        replace(clip, attributes=dict(map(spelled, clip.attributes.items()))) if clip.kind == "test" else clip
        for clip in clips
    ]


def _numbered(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the values by parameter; further values of a parameter get its name with a number."""
    values: dict[str, str] = {}
    for key, value in pairs:
        names = chain([key], (f"{key}_{number}" for number in count(2)))
        name = next(name for name in names if values.get(name, value) == value)
        if key:
            values[name] = value
    return values


def _problems(pairs: list[tuple[str, str]], values: dict[str, str]) -> Iterator[str]:
    """Yield a message for each value in a row that has no parameter, or one that it shares with another value."""
    for key, value in pairs:
        if value and not key:
            yield f"the value {value} has no parameter: add its name before it"
        elif key and values[key] != value:
            yield f"the parameter {key} occurs twice: name the second one {key}_2"


def _lines(numbers: list[int]) -> str:
    return f"line {numbers[0]}{and_more(numbers)}"


def _read_csv(path: Path) -> list[list[str]]:
    refuse_special(path)
    try:
        lines = read_csv(path, delimiter(path))
        return [[unicodedata.normalize("NFC", cell.strip()) for cell in row] for _, row in lines]
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
