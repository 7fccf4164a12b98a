"""Score a submission against ground truth as the official evaluator does, but joining clips by name.

Reads    anomaly_score_… and decision_result_… files (`asdlib.scoring.score_files`)
         ground_truth_data/, ground_truth_domain/ and, for labelled clip names only, ground_truth_attributes/
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from asdlib.data.listing import is_folder
from asdlib.errors import AsdError
from asdlib.evaluation.jackknife import evaluator_ci95
from asdlib.evaluation.metrics import DOMAINS, harmonic_mean, official_score, precision_recall_f1, section_metrics
from asdlib.scoring.score_files import DECISIONS, SCORES, find_submission, read_decisions, read_pairs, read_scores

COLUMNS = ("AUC", "pAUC", "precision", "recall", "F1 score")  # columns of the mean lines
_TRUTH_FILE = re.compile(r"ground_truth_(.+)_section_(\d+)_test\.csv", re.ASCII)

Metrics = dict[str, float]


@dataclass(frozen=True)
class ScoredSection:
    """Truth, scores and decisions of one machine and section: arrays of shape (N,), clips by name."""

    machine: str
    section: str
    labels: np.ndarray
    domains: np.ndarray
    scores: np.ndarray
    decisions: np.ndarray


def evaluate(scores: Path, truth: Path) -> dict:
    """Return every figure of the official evaluator for the submission folder `scores`.

    The keys are `machines.<machine>.sections.<NN>.<metric>`, `machines.<machine>.<mean line>.<column>`,
    `overall.<mean line>.<column>`, `overall.official score`, `overall.official score ci95` (too narrow, as
    the evaluator prints it) and `official_score`. Raises AsdError, naming the file and the clip, for missing,
    extra or repeated names, missing files, scores that are not finite, decisions other than 0 and 1, and a
    section with only one class.
    """
    return summarise(read_sections(scores, truth))


def read_sections(scores: Path, truth: Path) -> list[ScoredSection]:
    """Return every section that has a ground truth file, joined by clip name; raises AsdError as `evaluate` does."""
    for folder in (Path(scores), Path(truth)):
        if not is_folder(folder):
            raise AsdError(f"{folder}: no such folder: give the folder that holds the files")
    folder = Path(truth) / "ground_truth_data"
    files = {path: _TRUTH_FILE.fullmatch(path.name) for path in sorted(folder.glob("*.csv"))}
    if not any(files.values()):
        raise AsdError(f"{folder}: holds no ground_truth_<machine>_section_<NN>_test.csv: correct --truth")
    return [_read_section(Path(scores), path, *match.groups()) for path, match in files.items() if match]


def summarise(sections: list[ScoredSection]) -> dict:
    """Return the figures of `evaluate` for sections that are already read."""
    machines: dict[str, dict] = {}
    for section in sections:
        blocks = machines.setdefault(section.machine, {"sections": {}})
        blocks["sections"][section.section] = _section_values(section)
    for blocks in machines.values():
        blocks |= _mean_lines(blocks["sections"].values())
    everything = [values for blocks in machines.values() for values in blocks["sections"].values()]
    score = official_score(v[key] for v in everything for key in ("AUC (source)", "AUC (target)", "pAUC"))
    overall = {
        **_mean_lines(everything),
        "official score": score,
        "official score ci95": _printed_ci95(sections),
    }
    return {"machines": machines, "overall": overall, "official_score": score}


def _read_section(folder: Path, data: Path, machine: str, section: str) -> ScoredSection:
    labels = _read_truth(data)
    domain_file = data.parent.with_name("ground_truth_domain") / data.name
    domains = _read_truth(domain_file)
    _same_names(domain_file, domains, labels, data)
    score_file = find_submission(folder, SCORES, machine, section)
    decision_file = find_submission(folder, DECISIONS, machine, section)
    published = _LabelledNames(data.parent.with_name("ground_truth_attributes") / data.name, set(labels))
    scores = read_scores(score_file, published.used_by(score_file))
    decisions = read_decisions(decision_file, published.used_by(decision_file))
    _same_names(score_file, scores, labels, data)
    _same_names(decision_file, decisions, labels, data)
    names = sorted(labels)
    columns = [np.array([values[name] for name in names]) for values in (labels, domains, scores, decisions)]
    _enough_clips(data, domain_file, columns[0], columns[1])
    return ScoredSection(machine, section, columns[0], np.take(DOMAINS, columns[1]), *columns[2:])


def _read_truth(path: Path) -> dict[str, int]:
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
        more = f" (and {len(missing) - 1} more)" if missing[1:] else ""
        also = f", and {extra[0]} is unknown" if extra else ""
        raise AsdError(f"{path}: {missing[0]}{more} is missing{also}: write one row for each clip of {truth_file}")
    if extra:
        more = f" (and {len(extra) - 1} more)" if extra[1:] else ""
        raise AsdError(f"{path}: {extra[0]}{more} is not a clip of {truth_file}: remove the row")


def _enough_clips(data: Path, domain_file: Path, labels: np.ndarray, domains: np.ndarray) -> None:
    for label, kind in enumerate(("normal", "anomalous")):
        if label not in labels:
            raise AsdError(f"{data}: no {kind} clip: a ROC curve needs both classes, fetch the ground truth again")
    for code, domain in enumerate(DOMAINS):
        if code not in domains[labels == 0]:
            raise AsdError(f"{domain_file}: no normal clip of the {domain} domain: its AUC needs at least one")


def _section_values(section: ScoredSection) -> Metrics:
    areas = section_metrics(section.labels, section.domains, section.scores)
    values = {"AUC (all)": areas.auc_all, "AUC (source)": areas.auc_source, "AUC (target)": areas.auc_target,
              "pAUC": areas.pauc}  # fmt: skip
    in_domain = {domain: section.domains == domain for domain in DOMAINS}
    labels, decisions = section.labels, section.decisions
    found = {domain: precision_recall_f1(labels[use], decisions[use]) for domain, use in in_domain.items()}
    values |= {f"precision ({domain})": found[domain].precision for domain in DOMAINS}
    values |= {f"recall ({domain})": found[domain].recall for domain in DOMAINS}
    return values | {f"F1 score ({domain})": found[domain].f1 for domain in DOMAINS}


def _mean_lines(sections: Iterable[Metrics]) -> dict[str, Metrics]:
    """Return the four mean lines over sections and domains; harmonic means have the official floor."""
    sections = list(sections)
    return {
        "arithmetic mean": {column: fmean(_column(sections, column, DOMAINS)) for column in COLUMNS},
        "harmonic mean": {column: harmonic_mean(_column(sections, column, DOMAINS)) for column in COLUMNS},
        **{
            f"{domain} harmonic mean": {c: harmonic_mean(_column(sections, c, [domain])) for c in COLUMNS}
            for domain in DOMAINS
        },
    }


def _column(sections: list[Metrics], column: str, domains: Iterable[str]) -> list[float]:
    # The pAUC has no domain; the evaluator counts it once for each.
    keys = ["pAUC" if column == "pAUC" else f"{column} ({domain})" for domain in domains]
    return [values[key] for values in sections for key in keys]


def _printed_ci95(sections: list[ScoredSection]) -> float | None:
    half_width = evaluator_ci95(
        np.concatenate([section.labels for section in sections]),
        np.concatenate([section.scores for section in sections]),
    )
    return None if math.isnan(half_width) else half_width
