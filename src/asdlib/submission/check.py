"""Checks of the folder of a submitted system: its files, the names of its clips and its figures."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.data.truth import parse_name
from asdlib.errors import AsdError, and_more
from asdlib.evaluation.evaluator import NAMES, summarise
from asdlib.evaluation.figures import AREAS
from asdlib.evaluation.truth_folders import ScoredSection
from asdlib.scoring.score_files import DECISIONS, SCORES, read_decisions, read_scores, submission_path

ROUNDING = 0.5001e-4  # percent: the table has four decimals
_FIGURES = {column: NAMES[column] for column in AREAS}
_log = logging.getLogger(__name__)

MachineSection = tuple[str, str]
Clip = tuple[int | None, str | None]  # label (1: anomaly) and domain, None where unknown


def clips_to_score(tables: Iterable[Path]) -> dict[MachineSection, dict[str, Clip]]:
    """Return the test clips of every machine and section by published name; `tables` are the prepared clips."""
    found: dict[MachineSection, dict[str, Clip]] = {}
    for path in tables:
        for row in ClipTable(path).clips("test").to_pylist():
            label = None if row["label"] is None else int(row["label"] == "anomaly")
            clips = found.setdefault((path.stem, row["section"]), {})
            clips[row["source_file"].rpartition("/")[2]] = (label, row["domain"])
    return found


def check_scores(folder: Path, test_clips: Mapping[MachineSection, Mapping[str, Clip]]) -> list[ScoredSection]:
    """Return the scored sections of a folder, or raise AsdError with the file and what is wrong with it.

    `test_clips` holds the test clips of every machine and section by published name. Each of them must have a finite
    score and a decision, 0 or 1, and no other clip may have one.
    """
    sections = []
    for (machine, section), clips in test_clips.items():
        paths = [submission_path(folder, kind, machine, section) for kind in (SCORES, DECISIONS)]
        scores, decisions = read_scores(paths[0]), read_decisions(paths[1])
        for path, values in zip(paths, (scores, decisions), strict=True):
            _same_clips(path, values, clips)
        names = sorted(clips)
        labels, domains = (np.array(column) for column in zip(*(clips[name] for name in names), strict=True))
        values = (np.array([column[name] for name in names]) for column in (scores, decisions))
        sections.append(ScoredSection(machine, section, labels, domains, *values))
    _warn_of_labels(folder, [name for clips in test_clips.values() for name in clips])
    return sections


def check_files(folder: Path, sections: Iterable[MachineSection]) -> None:
    """Raise AsdError unless a system's folder holds exactly both files of every section, and its meta file."""
    expected = {folder / f"{folder.resolve().name}.meta.yaml"}
    expected |= {submission_path(folder, kind, *section) for section in sections for kind in (SCORES, DECISIONS)}
    found = {path for path in folder.rglob("*") if not path.is_dir()}
    if found - expected:
        raise AsdError(f"{min(found - expected)}: does not belong in a submission: remove it")
    if expected - found:
        raise AsdError(f"{min(expected - found)}: no such file: add it")


def fully_labelled(sections: Iterable[ScoredSection]) -> bool:
    """Return whether label and domain of every clip are known."""
    return all(None not in section.labels and None not in section.domains for section in sections)


def check_figures(folder: Path, sections: list[ScoredSection], rows: list[dict[str, str]]) -> bool:
    """Compare the official figures of a folder to the rows of scores.csv.

    Returns False if labels or rows are missing, so that nothing was compared. Raises AsdError if the figures differ by
    more than the rounding of the table.
    """
    known = {(row["machine"], row["section"]): row for row in rows}
    if not fully_labelled(sections) or known.keys() != {(section.machine, section.section) for section in sections}:
        return False
    machines = summarise(sections)["machines"]
    for (machine, section), row in known.items():
        for column, figure in _FIGURES.items():
            ours = 100 * machines[machine]["sections"][section][figure]
            if abs(ours - float(row[column])) > ROUNDING:
                raise AsdError(
                    f"{folder}: {machine} section {section}: {figure} is {ours:.4f}, in scores.csv {row[column]}: "
                    "make the table again"
                )
    return True


def _same_clips(path: Path, values: Mapping[str, float], clips: Mapping[str, Clip]) -> None:
    for names, problem in (
        (clips.keys() - values.keys(), "is missing: give each test clip one row"),
        (values.keys() - clips.keys(), "is not a test clip of this machine and section: remove the row"),
    ):
        if names:
            raise AsdError(f"{path}: {min(names)}{and_more(names)} {problem}")


def _warn_of_labels(folder: Path, names: list[str]) -> None:
    """Warn of clip names with labels: the clips of an evaluation set are published without labels."""
    labelled_names = [name for name in names if parse_name(name)[0]]
    if labelled_names:
        _log.warning(
            "%s: %s is not named like the clips of an evaluation set, section_00_0000.wav", folder, labelled_names[0]
        )
