"""The rows of scores.csv for one variant, seed and dataset: its sections, its machines, and all of it."""

import logging
import math
import statistics
from dataclasses import dataclass
from typing import Any

import pandas as pd

from asdlib.errors import AsdError
from asdlib.evaluation.figures import DECISION_FIGURES, Definition
from asdlib.evaluation.score_table import COUNTS, NOTE, PROMISED
from asdlib.evaluation.section_figures import Figures, decision_figures, figures_of, labelled, unknown_figures
from asdlib.workflow.section import Section
from asdlib.workflow.words import ALL

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SectionClips:
    """The test clips of a section, one per row, and the number of its training clips.

    The clips that a variant has scored also have the columns of clips.csv. `promised` is the rate of false alarms that
    its threshold shall have, in percent. `refused` is why a variant has scored none.
    """

    section: Section
    test: pd.DataFrame
    n_train: int
    promised: float = math.nan
    refused: str | None = None


def rows_of(sections: list[SectionClips], definition: Definition) -> list[dict[str, Any]]:
    """Return the rows of one variant, seed and dataset.

    There is one for each section, after those of a machine with several sections one for the machine (section `all`),
    and at the end one for the dataset (machine `all`). The key `figures` keeps the figures themselves, for the mean
    over seeds; it is no column of the table.
    """
    known = [(one, _section_row(one, definition)) for one in sections]
    rows = []
    for machine in dict.fromkeys(one.section.machine for one in sections):
        own = [pair for pair in known if pair[0].section.machine == machine]
        rows += [row for _, row in own]
        if len(own) > 1:
            rows.append({**_combined(own, definition), "section": ALL})
    return [*rows, {**_combined(known, definition), "machine": ALL, "section": ""}]


def _section_row(clips: SectionClips, definition: Definition) -> dict[str, Any]:
    figures, note = _figures(clips, definition)
    labels = labelled(clips.test)["label"]
    counts = (clips.n_train, len(clips.test), len(labels), sum(labels == "normal"))
    decisions = {**decision_figures(clips.test), PROMISED: clips.promised}
    told = {**clips.section._asdict(), **_cells(figures, definition), **decisions}
    return told | dict(zip(COUNTS, counts, strict=True)) | {NOTE: note}


def _combined(sections: list[tuple[SectionClips, dict[str, Any]]], definition: Definition) -> dict[str, Any]:
    """Return the row of several sections together, of which each counts the same; it needs another key than theirs."""
    rows = [row for _, row in sections]
    complete = not any(math.isnan(row[definition.score]) for row in rows)
    figures = figures_of([one.test for one, _ in sections], definition) if complete else unknown_figures(definition)
    counts = {name: sum(row[name] for row in rows) for name in COUNTS}
    decisions = {name: statistics.fmean(row[name] for row in rows) for name in (*DECISION_FIGURES, PROMISED)}
    noted = [f"{row['machine']} {row['section']}" for row in rows if row[NOTE]]
    note = f"see {', '.join(noted)}" if noted else ""
    return {**rows[0], **_cells(figures, definition), **decisions, **counts, NOTE: note}


def _figures(clips: SectionClips, definition: Definition) -> tuple[Figures, str]:
    """Return the figures of a section, and a note if some or all are missing."""
    if clips.refused is not None:
        return unknown_figures(definition), f"not scored: {clips.refused}"
    without = len(clips.test) - len(labelled(clips.test))
    try:
        figures = figures_of([clips.test], definition)
    except AsdError as error:
        _log.warning("%s/%s section %s: no metrics: %s", *clips.section, error)
        return unknown_figures(definition), "no figures: no test clips with both labels"
    note = f"{without} of {len(clips.test)} test clips have no label" if without else ""
    return figures, note


def _cells(figures: Figures, definition: Definition) -> dict[str, Any]:
    return {**figures.cells(definition), "figures": figures}
