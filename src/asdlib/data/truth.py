"""Ground truth of evaluation sets: readers of the published tables, and `ground_truth.csv` next to the recordings.

It is published in two forms (sources: the evaluators' repositories and the rename lists of the official baseline):

- evaluator: for each section a table `file.wav,0|1` of the labels (1 = anomaly), one of the domains (1 = target; 2021
  has one label table per domain instead) and one with each clip's full name, which includes its attributes;
- rename list: a line with a machine's name, then lines `published.wav,full name.wav`, in 2020 with the label (0 or 1)
  as a third column.

`fetching/ground_truth.py` downloads them. The lists of 2023 and later may not be redistributed, so this repository
contains none.
"""

import csv
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdlib.data.csv_cells import guarded, unguarded
from asdlib.data.files import atomic
from asdlib.data.listing import TRUTH_FILE, bare_name, recordings_to_test, refuse_special
from asdlib.data.text_files import delimiter, read_csv
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)
HEADER = ["file_name", "label", "domain", "attributes"]
LABELS = ("normal", "anomaly")  # 0, 1 in the published tables
DOMAINS = ("source", "target")


@dataclass(frozen=True)
class Truth:
    """The ground truth of one test clip; `domain` is None in 2020, `attributes` is "" if unknown."""

    file_name: str
    label: str
    domain: str | None
    attributes: str = ""


def parse_name(name: str) -> tuple[str | None, str | None, str]:
    """Return the label, domain and attributes of a full file name.

    Tokens are found by value, not by position: the list of 2024 leaves `test` out of RoboticArm's names.

    >>> parse_name("section_00_source_normal_0035_spd_2_mic_1.wav")
    ('normal', 'source', 'spd_2_mic_1')
    """
    tokens = PurePosixPath(name).name.removesuffix(".wav").split("_")
    at = next((index for index, token in enumerate(tokens) if token in LABELS), None)
    if at is None:
        return None, None, ""
    domain = next((token for token in tokens[:at] if token in DOMAINS), None)
    tail = "_".join(tokens[at + 2 :])  # after the clip's number
    is_modern = tokens[0] == "section"  # 2020: <label>_id_XX_NNNNNNNN
    return tokens[at], domain, tail if is_modern and tail != "noAttribute" else ""


def read_rename_list(path: Path, machine: str) -> list[Truth]:
    """Return one machine's block of a rename list; raise AsdError, naming the line, if it cannot be read."""
    rows, block = [], None
    for number, row in enumerate(_rows(path), start=1):
        if len(row) == 1:
            block = row[0].strip()
        elif row and block == machine:
            rows.append(_renamed(path, number, row))
    if not rows:
        raise AsdError(f"{path}: no block for machine {machine}: check that this is the list of its year")
    return _without_duplicates(path, rows)


def rename_list_machines(path: Path) -> list[str]:
    """Return the machines of a rename list in its order."""
    return list(dict.fromkeys(row[0].strip() for row in _rows(path) if len(row) == 1 and row[0].strip()))


def read_evaluator(
    labels: Mapping[str | None, Path], domains: Path | None = None, attributes: Path | None = None
) -> list[Truth]:
    """Return one section's ground truth from an evaluator's tables.

    `labels` has the label table under None, or one table under "source" and one under "target" (2021). `domains` and
    `attributes` are optional. An attribute table that contradicts the label or domain of any clip is ignored as a
    whole: in 2022, those of ToyCar and ToyTrain belong to another shuffling of the clips. The official scores use the
    label and domain tables. Raises AsdError if a table cannot be read or lacks a clip.
    """
    domain_of = _binary_table(domains, DOMAINS) if domains else {}
    rows = []
    for known, path in labels.items():
        table = _binary_table(path, LABELS)
        for name, label in table.items():
            if domains and name not in domain_of:
                raise AsdError(f"{domains}: no line for {name}, which is in {path}: fetch both again")
            rows.append(Truth(name, label, known or domain_of.get(name)))
    rows = _without_duplicates(next(iter(labels.values())), rows)
    return _with_attributes(rows, attributes) if attributes else rows


def write_truth(rows: Iterable[Truth], folder: Path, machine: str | None = None) -> Path:
    """Write `ground_truth.csv`, one line per test clip, into a machine's folder and return its path.

    The names written are those of the clips; a `test` token that only one side has is ignored when matching (2022).
    Raises AsdError, naming the `machine` (default: the folder), unless clips and truths match one to one.
    """
    clips = {_bare(name): name for name in clip_names(folder)}
    truth = {_bare(row.file_name): row for row in rows}
    for names, problem in (
        (clips.keys() - truth.keys(), "test clips without ground truth"),
        (truth.keys() - clips.keys(), "lines of ground truth without a test clip"),
    ):
        if names:
            raise AsdError(
                f"{machine or folder}: {len(names)} {problem}, the first is {min(names)}: check `ground_truth` of this "
                "dataset in the config"
            )
    path = folder / TRUTH_FILE
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        for bare, name in sorted(clips.items(), key=lambda item: item[1]):
            row = truth[bare]
            writer.writerow([guarded(name), row.label, row.domain or "", guarded(row.attributes)])
    return path


def clip_names(folder: Path) -> list[str]:
    """Return the sorted file names of the test clips in a machine's folder."""
    return sorted(entry.name for entry in recordings_to_test(folder)) if folder.is_dir() else []


def load_truth(path: Path) -> dict[str, Truth]:
    """Return a machine's `ground_truth.csv` as {bare file name: truth}."""
    header, *lines = list(_rows(path)) or [[]]
    if header != HEADER:
        raise AsdError(f"{path}: the first line must be {','.join(HEADER)}: correct it")
    rows = []
    for number, line in enumerate(lines, start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(HEADER) or line[1] not in LABELS or line[2] not in ("", *DOMAINS):
            raise AsdError(f"{path}, line {number}: not file_name,normal|anomaly,source|target|,attributes: correct it")
        rows.append(Truth(unguarded(line[0]), line[1], line[2] or None, unguarded(line[3])))
    return {bare_name(row.file_name): row for row in _without_duplicates(path, rows)}


def _renamed(path: Path, number: int, row: list[str]) -> Truth:
    where = f"{path}, line {number}"
    label, domain, attributes = parse_name(row[1])
    if len(row) > 2 and row[2].strip():
        stated = _binary(path, number, row[2], LABELS)
        if label not in (None, stated):
            raise AsdError(f"{where}: the name says {label}, the last column {stated}: fetch the list again")
        label = stated
    if label is None:
        raise AsdError(f"{where}: neither normal nor anomaly in {row[1]!r}: use a rename list of the challenge")
    return Truth(row[0].strip(), label, domain, attributes)


def _with_attributes(rows: list[Truth], path: Path) -> list[Truth]:
    """Add the attributes of a table whose first column is the published name and the last the full name."""
    full = {
        PurePosixPath(row[0]).name.removesuffix(".wav"): parse_name(row[-1])
        for row in _rows(path)
        if len(row) > 1 and row[0] != "file_name"
    }
    known = [full.get(row.file_name.removesuffix(".wav"), (None, None, "")) for row in rows]
    agree = all(
        label in (None, row.label) and domain in (None, row.domain)
        for row, (label, domain, _) in zip(rows, known, strict=True)
    )
    if not agree:
        _log.warning("%s: contradicts the label or domain table; its attributes are left out", path)
        return rows
    return [Truth(row.file_name, row.label, row.domain, text) for row, (_, _, text) in zip(rows, known, strict=True)]


def _binary_table(path: Path, words: tuple[str, str]) -> dict[str, str]:
    """Return a table of lines `file.wav,0|1` as {file name: word}."""
    table: dict[str, str] = {}
    for number, row in enumerate(_rows(path), start=1):
        if not row:
            continue
        if len(row) != 2:
            raise AsdError(f"{path}, line {number}: not `file.wav,0` or `file.wav,1`: fetch the table again")
        name = PurePosixPath(row[0].strip()).name
        if name in table:
            raise AsdError(f"{path}, line {number}: {name} is listed twice: fetch the table again")
        table[name] = _binary(path, number, row[1], words)
    return table


def _binary(path: Path, number: int, text: str, words: tuple[str, str]) -> str:
    if text.strip() not in ("0", "1"):
        raise AsdError(f"{path}, line {number}: {text!r} is neither 0 nor 1: fetch the table again")
    return words[int(text)]


def _rows(path: Path) -> list[list[str]]:
    refuse_special(path)
    try:
        return [row for _, row in read_csv(path, delimiter(path))]
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): fetch it again") from error


def _without_duplicates(path: Path, rows: list[Truth]) -> list[Truth]:
    seen: set[str] = set()
    for row in rows:
        name = bare_name(row.file_name)
        if name in seen:
            raise AsdError(f"{path}: {row.file_name} is listed twice: fetch it again")
        seen.add(name)
    return rows


def _bare(name: str) -> str:
    """Return the name without `.wav` and without the token `test`, which only some published names have."""
    return re.sub(r"_test(?=_|\Z)", "", bare_name(name))
