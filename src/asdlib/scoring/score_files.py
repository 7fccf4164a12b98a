"""Submission files of the challenge: anomaly scores and decisions, one file per machine and section.

No header, `file,value`, "\\n" line ends. The challenge's naming is written, the baseline's also read:

    anomaly_score_<machine>_section_<NN>_test.csv                                       published clip names
    anomaly_score_DCASE<year>T2<machine>_section_<NN>_test_seed<seed><tag>[_Eval].csv   labelled clip names
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from asdlib.data.files import atomic
from asdlib.errors import AsdError

SCORES = "anomaly_score"
DECISIONS = "decision_result"

Row = tuple[str, float]
T = TypeVar("T")


def write_scores(folder: Path, machine: str, section: str | int, rows: Iterable[Row]) -> Path:
    """Write (clip name, score) rows, higher is stranger; returns the file's path.

    A score is written as the shortest text that reads back to the same float.
    Raises AsdError for a score that is not finite or a name that comes twice.
    """
    return _write(submission_path(folder, SCORES, machine, section), rows, _score_text)


def write_decisions(folder: Path, machine: str, section: str | int, rows: Iterable[Row]) -> Path:
    """Write (clip name, decision) rows, 0 normal or 1 anomalous (bool is fine); returns the file's path.

    Raises AsdError for another decision or a name that comes twice.
    """
    return _write(submission_path(folder, DECISIONS, machine, section), rows, _decision_text)


def submission_path(folder: Path, kind: str, machine: str, section: str | int) -> Path:
    """The challenge's file name for `kind` (`SCORES` or `DECISIONS`) inside `folder`."""
    return Path(folder) / f"{kind}_{machine}_section_{int(section):02d}_test.csv"


def find_submission(folder: Path, kind: str, machine: str, section: str | int) -> Path:
    """The one file of this kind, machine and section in `folder`, in either naming style, else AsdError."""
    expected = submission_path(folder, kind, machine, section)
    style = re.compile(
        rf"{kind}_DCASE\d{{4}}T2{re.escape(machine)}_section_{int(section):02d}_test_seed\d+.*\.csv", re.ASCII
    )
    found = [path for path in sorted(Path(folder).glob(f"{kind}_*.csv")) if style.fullmatch(path.name)]
    found += [expected] if expected.is_file() else []
    if not found:
        raise AsdError(f"{expected}: no such file: give scores and decisions for each section")
    if len(found) > 1:
        raise AsdError(f"{found[0]}: {found[1].name} holds the same machine and section: keep one of them")
    return found[0]


def read_scores(path: Path, published: Mapping[str, str] | None = None) -> dict[str, float]:
    """Scores by clip name; AsdError names the file and line of a bad row, a NaN or a repeated name.

    `published` maps labelled names to published ones; names that are not in it stay as they are.
    """
    return _read(path, _parse_score, published)


def read_decisions(path: Path, published: Mapping[str, str] | None = None) -> dict[str, int]:
    """Decisions (0 or 1) by clip name, otherwise as `read_scores`."""
    return _read(path, _parse_decision, published)


def read_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """Rows of a `file,value` file without header as (place, name, value); `place` is "<path>, line <n>".

    Empty lines are passed over. Raises AsdError for a missing or empty file, and for other than two columns.
    """
    if not Path(path).is_file():
        raise AsdError(f"{path}: no such file: put it there, or correct the folder")
    count = 0
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle)
            for row in filter(None, reader):
                count += 1
                if len(row) != 2:
                    raise AsdError(f"{path}, line {reader.line_num}: {len(row)} columns: write `file,value`")
                yield f"{path}, line {reader.line_num}", row[0].strip(), row[1].strip()
    except (UnicodeDecodeError, csv.Error) as error:
        raise AsdError(f"{path}: not a CSV text ({error}): write the file again") from error
    if not count:
        raise AsdError(f"{path}: holds no rows: write one row for each clip")


def _read(path: Path, parse: Callable[[str, str], T], published: Mapping[str, str] | None) -> dict[str, T]:
    values: dict[str, T] = {}
    for place, written, text in read_pairs(path):
        name = (published or {}).get(written, written)
        if name in values:
            raise AsdError(f"{place}: {written} comes twice: keep one row for each clip")
        values[name] = parse(text, f"{place}: {written}")
    return values


def _write(path: Path, rows: Iterable[Row], text_of: Callable[[float, str], str]) -> Path:
    lines: dict[str, str] = {}
    for name, value in rows:
        if name in lines:
            raise AsdError(f"{path}: {name} comes twice: give one row for each clip")
        lines[name] = text_of(value, f"{path}: {name}")
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(lines.items())
    return path


def _score_text(score: float, place: str) -> str:
    if not math.isfinite(score):
        raise AsdError(f"{place} has the score {score}: scores must be finite")
    return repr(float(score))


def _decision_text(decision: float, place: str) -> str:
    if decision not in (0, 1):
        raise AsdError(f"{place} has the decision {decision}: decide 0 (normal) or 1 (anomalous)")
    return str(int(decision))


def _parse_score(text: str, place: str) -> float:
    try:
        score = float(text.replace("_", "?"))  # Python would read 1_0 as 10
    except ValueError:
        raise AsdError(f"{place} has the score {text!r}: write a number (the file has no header)") from None
    if not math.isfinite(score):
        raise AsdError(f"{place} has the score {text}: scores must be finite")
    return score


def _parse_decision(text: str, place: str) -> int:
    if text not in ("0", "1"):
        raise AsdError(f"{place} has the decision {text!r}: write 0 (normal) or 1 (anomalous)")
    return int(text)
