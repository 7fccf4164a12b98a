"""Read a submission together with the ground truth of the official evaluators, joining clips by name.

The three forms of the truth tell the years apart:

2022 and later   ground_truth_data/ and ground_truth_domain/ with ground_truth_<machine>_section_<NN>_test.csv, and
                 ground_truth_attributes/ for labelled clip names only
2021             ground_truth_data/ with ground_truth_<machine>_section_<NN>_<source|target>_test.csv
2020             eval_data_list.csv, a list of all machines
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asdlib.data.listing import is_folder
from asdlib.data.truth import LABELS, read_rename_list, rename_list_machines
from asdlib.errors import AsdError, and_more
from asdlib.evaluation.figures import DOMAINS, OF_2020, OF_2021, SINCE_2022, Definition
from asdlib.scoring.score_files import (
    DECISIONS,
    SCORES,
    find_submissions,
    read_decisions,
    read_pairs,
    read_scores,
)

LIST_2020 = "eval_data_list.csv"
_TRUTH_FILE = re.compile(r"ground_truth_(.+)_section_(\d+)_(?:(source|target)_)?test\.csv", re.ASCII)
_ID = re.compile(r"id_(\d\d)_\d+\.wav", re.ASCII)


@dataclass(frozen=True)
class ScoredSection:
    """Truth, scores and decisions of one machine and section: arrays of shape (N,), clips by name.

    In 2020, domains are None, and so are decisions: submissions had none.
    """

    machine: str
    section: str
    labels: np.ndarray
    domains: np.ndarray | None
    scores: np.ndarray
    decisions: np.ndarray | None


@dataclass(frozen=True)
class SectionTruth:
    """The ground truth of one machine and section, by published clip name; `file` is named in error messages."""

    machine: str
    section: str
    file: Path
    labels: dict[str, int]
    domains: dict[str, str] | None


def read_sections(scores: Path, truth: Path) -> tuple[Definition, list[ScoredSection]]:
    """Return the definition of the truth's year and every section that has ground truth.

    Raises AsdError, naming the file and the clip, for missing, extra or repeated names, missing files, scores that are
    not finite, decisions other than 0 and 1, and a section with only one class.
    """
    for folder in (Path(scores), Path(truth)):
        if not is_folder(folder):
            raise AsdError(f"{folder}: no such folder: give the folder that holds the files")
    definition, sections = read_truth(Path(truth))
    return definition, [_scored(Path(scores), section, definition) for section in sections]


def read_truth(folder: Path) -> tuple[Definition, list[SectionTruth]]:
    """Return the definition of a truth folder's year, and the truth of its sections."""
    if (folder / LIST_2020).is_file():
        return OF_2020, _truth_of_2020(folder / LIST_2020)
    data = folder / "ground_truth_data"
    files = {path: match for path in sorted(data.glob("*.csv")) if (match := _TRUTH_FILE.fullmatch(path.name))}
    if not files:
        raise AsdError(f"{data}: holds no ground_truth_<machine>_section_<NN>_test.csv: correct --truth")
    if not any(match[3] for match in files.values()):
        return SINCE_2022, [_truth_since_2022(path, match[1], match[2]) for path, match in files.items()]
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for path, match in files.items():
        if not match[3]:
            raise AsdError(f"{path}: names no domain, other files do: keep the files of one year")
        found.setdefault((match[1], match[2]), {})[match[3]] = path
    return OF_2021, [_truth_of_2021(*key, paths) for key, paths in found.items()]


def _truth_since_2022(data: Path, machine: str, section: str) -> SectionTruth:
    labels = _read_binary(data)
    file = data.parent.with_name("ground_truth_domain") / data.name
    domains = _read_binary(file)
    _same_names(file, domains, labels, data)
    _both_classes(data, labels)
    for code, domain in enumerate(DOMAINS):
        if not any(labels[name] == 0 for name, own in domains.items() if own == code):
            what = f"no normal clip of the {domain} domain: its AUC needs one"
            raise AsdError(f"{file}: {what}: fetch the ground truth again")
    return SectionTruth(machine, section, data, labels, {name: DOMAINS[code] for name, code in domains.items()})


def _truth_of_2021(machine: str, section: str, paths: Mapping[str, Path]) -> SectionTruth:
    labels, domains = {}, {}
    for domain in DOMAINS:
        if domain not in paths:
            (other,) = paths.values()
            raise AsdError(f"{other}: the file of the {domain} domain is missing: fetch the ground truth again")
        own = _read_binary(paths[domain])
        _both_classes(paths[domain], own)
        for name, label in own.items():
            if name in labels:
                raise AsdError(f"{paths[domain]}: {name} is in both domains: fetch the ground truth again")
            labels[name], domains[name] = label, domain
    return SectionTruth(machine, section, paths["source"], labels, domains)


def _truth_of_2020(path: Path) -> list[SectionTruth]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for machine in rename_list_machines(path):
        for row in read_rename_list(path, machine):
            match = _ID.fullmatch(row.file_name)
            if not match:
                raise AsdError(f"{path}: {row.file_name} is not a name of 2020: fetch the list again")
            found.setdefault((machine, match[1]), {})[row.file_name] = LABELS.index(row.label)
    for labels in found.values():
        _both_classes(path, labels)
    return [SectionTruth(*key, path, labels, None) for key, labels in sorted(found.items())]


def _scored(folder: Path, truth: SectionTruth, definition: Definition) -> ScoredSection:
    names = sorted(truth.labels)
    scores = _submitted(folder, SCORES, truth, definition)
    decisions = None if definition is OF_2020 else _submitted(folder, DECISIONS, truth, definition)
    columns = [None if values is None else np.array([values[name] for name in names])
               for values in (truth.labels, truth.domains, scores, decisions)]  # fmt: skip
    return ScoredSection(truth.machine, truth.section, *columns)


def _submitted(folder: Path, kind: str, truth: SectionTruth, definition: Definition) -> dict[str, float]:
    """Return the values of all clips of a section from the file, or in 2021 the two files, of a kind."""
    read = read_scores if kind == SCORES else read_decisions
    names = _LabelledNames(truth.file.parent.with_name("ground_truth_attributes") / truth.file.name, set(truth.labels))
    values: dict[str, float] = {}
    files = find_submissions(folder, kind, truth.machine, truth.section, definition.name)
    parts = [(truth.file, truth.labels)] if len(files) == 1 else [_of_domain(truth, domain) for domain in DOMAINS]
    for path, (truth_file, labels) in zip(files, parts, strict=True):
        own = read(path, names.used_by(path))
        _same_names(path, own, labels, truth_file)
        values |= own
    return values


def _of_domain(truth: SectionTruth, domain: str) -> tuple[Path, dict[str, int]]:
    """Return the truth file of a domain in 2021, and its labels."""
    file = truth.file.with_name(truth.file.name.removesuffix("_source_test.csv") + f"_{domain}_test.csv")
    return file, {name: label for name, label in truth.labels.items() if truth.domains[name] == domain}


def _read_binary(path: Path) -> dict[str, int]:
    """Return labels or domains, 0 or 1, by published name."""
    values: dict[str, int] = {}
    for where, name, text in read_pairs(path):
        if name in values or text not in ("0", "1"):
            wrong = "is repeated" if name in values else f"has the value {text!r}, not 0 or 1"
            raise AsdError(f"{where}: {name} {wrong}: fetch the ground truth again")
        values[name] = int(text)
    return values


@dataclass(frozen=True)
class _LabelledNames:
    """The published names of clips with labelled names, read only if a file needs them."""

    table: Path
    published: set[str]

    def used_by(self, submission: Path) -> Mapping[str, str]:
        """Return {labelled name: published name}; empty if `submission` uses published names only."""
        if all(name in self.published for _, name, _ in read_pairs(submission)) or not self.table.is_file():
            return {}
        names: dict[str, str] = {}
        for where, name, labelled in read_pairs(self.table):
            labelled = labelled.removesuffix(".wav") + ".wav"
            if labelled in names:
                raise AsdError(f"{where}: {labelled} belongs to two clips: fetch the ground truth again")
            names[labelled] = name
        return names


def _same_names(path: Path, names: Mapping[str, float], truth: Mapping[str, int], truth_file: Path) -> None:
    missing, extra = sorted(truth.keys() - names.keys()), sorted(names.keys() - truth.keys())
    if missing:
        also = f", and {extra[0]} is unknown" if extra else ""
        more = and_more(missing)
        raise AsdError(f"{path}: {missing[0]}{more} is missing{also}: write one row for each clip of {truth_file}")
    if extra:
        raise AsdError(f"{path}: {extra[0]}{and_more(extra)} is not a clip of {truth_file}: remove the row")


def _both_classes(path: Path, labels: Mapping[str, int]) -> None:
    for label, kind in enumerate(("normal", "anomalous")):
        if label not in labels.values():
            raise AsdError(f"{path}: no {kind} clip: a ROC curve needs both classes, fetch the ground truth again")
