"""The challenge's submission files: anomaly scores and decisions, one file per machine and section.

The rows are `file,value`, without a header; lines end in "\\n". Files are written under the challenge's names. Files
under the baseline's names can also be read:

    anomaly_score_<machine>_section_<NN>_test.csv                                       published clip names
    anomaly_score_DCASE<year>T2<machine>_section_<NN>_test_seed<seed><tag>[_Eval].csv   labelled clip names
    anomaly_score_<machine>_section_<NN>_source_test.csv and …_target_test.csv          2021
    anomaly_score_<machine>_id_<NN>.csv                                                 2020
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from asdlib.data.files import atomic
from asdlib.data.listing import is_file
from asdlib.data.text_files import read_csv
from asdlib.errors import AsdError

SCORES = "anomaly_score"
DECISIONS = "decision_result"

Row = tuple[str, float]
T = TypeVar("T")


def write_scores(folder: Path, machine: str, section: str | int, rows: Iterable[Row]) -> Path:
    """Write (clip name, score) rows and return the path of the file; a higher score is more anomalous.

    A score is written as the shortest text that reads back to the same float.
    Raises AsdError for a score that is not finite and for a repeated name.
    """
    return _write(submission_path(folder, SCORES, machine, section), rows, _score_text)


def write_decisions(folder: Path, machine: str, section: str | int, rows: Iterable[Row]) -> Path:
    """Write (clip name, decision) rows and return the path of the file.

    A decision is 0 (normal) or 1 (anomalous); bool is accepted. Raises AsdError for any other decision and for a
    repeated name.
    """
    return _write(submission_path(folder, DECISIONS, machine, section), rows, _decision_text)


def submission_path(folder: Path, kind: str, machine: str, section: str | int) -> Path:
    """Return the path in `folder` of the file of a `kind`, `SCORES` or `DECISIONS`, under the challenge's name."""
    return Path(folder) / f"{kind}_{machine}_section_{int(section):02d}_test.csv"


def find_submission(folder: Path, kind: str, machine: str, section: str | int) -> Path:
    """Return the path of the file of a kind, machine and section in `folder`, under either name.

    Raises AsdError if there is no such file or more than one.
    """
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


def find_submissions(folder: Path, kind: str, machine: str, section: str | int, metric: str) -> list[Path]:
    """Return the files of a kind, machine and section: in 2021 there may be one for each domain.

    `metric` is the year of the official definition. Raises AsdError as `find_submission` does.
    """
    number = f"{int(section):02d}"
    own = {
        "2021": [f"{kind}_{machine}_section_{number}_{domain}_test.csv" for domain in ("source", "target")],
        "2020": [f"{kind}_{machine}_id_{number}.csv"],
    }
    paths = [Path(folder) / name for name in own.get(metric, [])]
    found = [path for path in paths if path.is_file()]
    if not found:
        return [find_submission(folder, kind, machine, section)]
    usual = submission_path(folder, kind, machine, section)
    if usual.is_file():
        raise AsdError(f"{usual}: {found[0].name} holds the same machine and section: keep one of them")
    for path in paths:
        if path not in found:
            raise AsdError(f"{path}: no such file: give scores and decisions for each section")
    return found


def read_scores(path: Path, published: Mapping[str, str] | None = None) -> dict[str, float]:
    """Return the scores by clip name.

    `published` maps labelled names to published ones; other names are kept. Raises AsdError, with the file and the
    line, for a malformed row, a score that is not finite and a repeated name.
    """
    return _read(path, _parse_score, published)


def read_decisions(path: Path, published: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return the decisions, 0 or 1, by clip name; otherwise like `read_scores`."""
    return _read(path, _parse_decision, published)


def read_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of a `file,value` file without a header as (where, name, value).

    `where` is "<path>, line <n>". Empty lines are skipped. Raises AsdError for a missing or empty file and for a row
    that does not have two columns.
    """
    if not is_file(Path(path)):
        raise AsdError(f"{path}: no such file: add it, or correct the folder")
    count = 0
    for number, row in read_csv(path):
        if not row:
            continue
        count += 1
        if len(row) != 2:
            raise AsdError(f"{path}, line {number}: {len(row)} columns: write `file,value`")
        yield f"{path}, line {number}", row[0].strip(), row[1].strip()
    if not count:
        raise AsdError(f"{path}: holds no rows: write one row for each clip")


def _read(path: Path, parse: Callable[[str, str], T], published: Mapping[str, str] | None) -> dict[str, T]:
    values: dict[str, T] = {}
    for where, written, text in read_pairs(path):
        name = (published or {}).get(written, written)
        if name in values:
            raise AsdError(f"{where}: {written} appears twice: keep one row for each clip")
        values[name] = parse(text, f"{where}: {written}")
    return values


def _write(path: Path, rows: Iterable[Row], text_of: Callable[[float, str], str]) -> Path:
    lines: dict[str, str] = {}
    for name, value in rows:
        if name in lines:
            raise AsdError(f"{path}: {name} appears twice: give one row for each clip")
        lines[name] = text_of(value, f"{path}: {name}")
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(lines.items())
    return path


def _score_text(score: float, where: str) -> str:
    if not math.isfinite(score):
        raise AsdError(f"{where} has the score {score}: give a finite number")
    return repr(float(score))


def _decision_text(decision: float, where: str) -> str:
    if decision not in (0, 1):
        raise AsdError(f"{where} has the decision {decision}: give 0 (normal) or 1 (anomalous)")
    return str(int(decision))


def _parse_score(text: str, where: str) -> float:
    try:
        score = float(text.replace("_", "?"))  # Python would read 1_0 as 10
    except ValueError:
        raise AsdError(f"{where} has the score {text!r}: write a number (the file has no header)") from None
    if not math.isfinite(score):
        raise AsdError(f"{where} has the score {text}: give a finite number")
    return score


def _parse_decision(text: str, where: str) -> int:
    if text not in ("0", "1"):
        raise AsdError(f"{where} has the decision {text!r}: write 0 (normal) or 1 (anomalous)")
    return int(text)
