"""The figures of the official evaluators for a submission.

Reads    anomaly_score_… and decision_result_… files (`asdlib.scoring.score_files`)
         ground truth in the form of its year (`asdlib.evaluation.truth_folders`)
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from asdlib.errors import AsdError
from asdlib.evaluation.figures import DEFINITIONS, OF_2020, SINCE_2022, Definition
from asdlib.evaluation.jackknife import evaluator_ci95
from asdlib.evaluation.metrics import (
    DOMAINS,
    areas_to_compute,
    auc,
    harmonic_mean,
    mean_of,
    official_score,
    precision_recall_f1,
    section_areas,
)
from asdlib.evaluation.truth_folders import ScoredSection

COLUMNS = ("AUC", "pAUC", "precision", "recall", "F1 score")  # columns of the mean lines
NAMES = {  # the evaluators' names of the areas
    "auc": "AUC",
    "auc_source": "AUC (source)",
    "auc_target": "AUC (target)",
    "pauc": "pAUC",
    "pauc_source": "pAUC (source)",
    "pauc_target": "pAUC (target)",
}

Metrics = dict[str, float]


def summarise(sections: list[ScoredSection], definition: Definition = SINCE_2022) -> dict:
    """Return every figure of a year's official evaluator.

    The keys are `machines.<machine>.sections.<NN>.<metric>`, `machines.<machine>.<mean line>.<column>`,
    `overall.<mean line>.<column>`, `overall.official score`, `overall.official score ci95` (too narrow, as
    the evaluator prints it; since 2022) and `official_score`.

    In 2020, systems were ranked by their ranks; the score is the arithmetic mean of all AUCs and pAUCs. If areas of the
    definition are missing (`of_labelled_clips`), there is no official score: `score` and `mean_of` take its place.
    """
    machines: dict[str, dict] = {}
    for section in sections:
        blocks = machines.setdefault(section.machine, {"sections": {}})
        blocks["sections"][section.section] = _section_values(section, definition)
    for blocks in machines.values():
        blocks |= _mean_lines(blocks["sections"].values(), definition)
    everything = [values for blocks in machines.values() for values in blocks["sections"].values()]
    areas = [values[NAMES[column]] for values in everything for column in definition.columns]
    score = mean_of(definition, areas) if definition.score == "amean" else official_score(areas)
    overall = _mean_lines(everything, definition)
    if definition not in DEFINITIONS.values():
        names = [NAMES[column] for column in definition.columns]
        return {"machines": machines, "overall": overall, "score": score, "mean_of": names}
    overall["official score"] = score
    if definition == SINCE_2022:
        overall["official score ci95"] = _printed_ci95(sections)
    return {"machines": machines, "overall": overall, "official_score": score}


def of_labelled_clips(
    sections: Iterable[ScoredSection], definition: Definition
) -> tuple[Definition, list[ScoredSection]]:
    """Return a definition with those of its areas that can be computed, and the labelled clips of sections.

    The areas are those of `areas_to_compute`. Raises AsdError if a section has no labelled normal clip or no anomaly.
    """
    found = []
    for one in sections:
        known = np.array([label is not None for label in one.labels.tolist()])
        if set(one.labels[known].tolist()) != {0, 1}:
            raise AsdError(f"{one.machine} section {one.section}: no test clips with both labels: add labels")
        domains, decisions = (None if column is None else column[known] for column in (one.domains, one.decisions))
        labels = one.labels[known].astype(int)
        found.append(replace(one, labels=labels, domains=domains, scores=one.scores[known], decisions=decisions))
    areas = areas_to_compute(definition, [(one.labels, one.domains) for one in found])
    return replace(definition, areas=areas), found


def _section_values(section: ScoredSection, definition: Definition) -> Metrics:
    labels, domains, scores = section.labels, section.domains, section.scores
    values = {"AUC (all)": auc(labels, scores)} if definition.name == SINCE_2022.name else {}
    areas = section_areas(definition, labels, domains, scores)
    values |= {NAMES[column]: area for column, area in zip(definition.columns, areas, strict=True)}
    if section.decisions is None or definition.name == OF_2020.name:
        return values
    clips = {f" ({domain})": domains == domain for domain in _domains(definition)} or {"": np.full(len(labels), True)}
    found = {name: precision_recall_f1(labels[use], section.decisions[use]) for name, use in clips.items()}
    values |= {f"precision{name}": one.precision for name, one in found.items()}
    values |= {f"recall{name}": one.recall for name, one in found.items()}
    return values | {f"F1 score{name}": one.f1 for name, one in found.items()}


def _domains(definition: Definition) -> list[str]:
    """Return the domains that have an AUC of their own."""
    return [domain for domain in DOMAINS if f"auc_{domain}" in definition.columns]


def _mean_lines(sections: Iterable[Metrics], definition: Definition) -> dict[str, Metrics]:
    """Return the mean lines over sections and domains, and harmonic ones of each domain, with the official floor.

    2020 has no domains and only arithmetic means.
    """
    sections, domains = list(sections), _domains(definition)
    if definition.name == OF_2020.name:
        return {"arithmetic mean": {name: fmean(values[name] for values in sections) for name in ("AUC", "pAUC")}}
    return {
        "arithmetic mean": {column: fmean(_column(sections, column, domains)) for column in COLUMNS},
        "harmonic mean": {column: harmonic_mean(_column(sections, column, domains)) for column in COLUMNS},
        **{
            f"{domain} harmonic mean": {c: harmonic_mean(_column(sections, c, [domain])) for c in COLUMNS}
            for domain in domains
        },
    }


def _column(sections: list[Metrics], column: str, domains: Sequence[str]) -> list[float]:
    # Since 2022 the pAUC has no domain; the evaluator counts it once for each.
    keys = [f"{column} ({domain})" for domain in domains] or [column]
    return [values[key if key in values else column] for values in sections for key in keys]


def _printed_ci95(sections: list[ScoredSection]) -> float | None:
    half_width = evaluator_ci95(
        np.concatenate([section.labels for section in sections]),
        np.concatenate([section.scores for section in sections]),
    )
    return None if math.isnan(half_width) else half_width
