"""The figures of the official evaluators for a submission.

Reads    anomaly_score_… and decision_result_… files (`asdlib.scoring.score_files`)
         ground truth in the form of its year (`asdlib.evaluation.truth_folders`)
"""

import math
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import numpy as np

from asdlib.evaluation.figures import OF_2020, SINCE_2022, Definition
from asdlib.evaluation.jackknife import evaluator_ci95
from asdlib.evaluation.metrics import (
    DOMAINS,
    auc,
    harmonic_mean,
    mean_of,
    official_score,
    precision_recall_f1,
    section_areas,
)
from asdlib.evaluation.truth_folders import ScoredSection, read_sections

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


def evaluate(scores: Path, truth: Path) -> dict:
    """Return every figure of the official evaluator of the truth's year for the submission folder `scores`.

    The keys are `machines.<machine>.sections.<NN>.<metric>`, `machines.<machine>.<mean line>.<column>`,
    `overall.<mean line>.<column>`, `overall.official score`, `overall.official score ci95` (too narrow, as
    the evaluator prints it; since 2022) and `official_score`. Raises AsdError as `read_sections` does.
    """
    definition, sections = read_sections(scores, truth)
    return summarise(sections, definition)


def summarise(sections: list[ScoredSection], definition: Definition = SINCE_2022) -> dict:
    """Return the figures of `evaluate` for sections that are already read.

    In 2020, systems were ranked by their ranks; the score is the arithmetic mean of all AUCs and pAUCs.
    """
    machines: dict[str, dict] = {}
    for section in sections:
        blocks = machines.setdefault(section.machine, {"sections": {}})
        blocks["sections"][section.section] = _section_values(section, definition)
    for blocks in machines.values():
        blocks |= _mean_lines(blocks["sections"].values(), definition)
    everything = [values for blocks in machines.values() for values in blocks["sections"].values()]
    areas = [values[NAMES[column]] for values in everything for column in definition.columns]
    score = mean_of(definition, areas) if definition is OF_2020 else official_score(areas)
    overall = {**_mean_lines(everything, definition), "official score": score}
    if definition is SINCE_2022:
        overall["official score ci95"] = _printed_ci95(sections)
    return {"machines": machines, "overall": overall, "official_score": score}


def _section_values(section: ScoredSection, definition: Definition) -> Metrics:
    labels, domains, scores = section.labels, section.domains, section.scores
    values = {"AUC (all)": auc(labels, scores)} if definition is SINCE_2022 else {}
    areas = section_areas(definition, labels, domains, scores)
    values |= {NAMES[column]: area for column, area in zip(definition.columns, areas, strict=True)}
    if section.decisions is None or not definition.needs_domains:
        return values
    found = {d: precision_recall_f1(labels[domains == d], section.decisions[domains == d]) for d in DOMAINS}
    values |= {f"precision ({domain})": found[domain].precision for domain in DOMAINS}
    values |= {f"recall ({domain})": found[domain].recall for domain in DOMAINS}
    return values | {f"F1 score ({domain})": found[domain].f1 for domain in DOMAINS}


def _mean_lines(sections: Iterable[Metrics], definition: Definition) -> dict[str, Metrics]:
    """Return the four mean lines over sections and domains; harmonic means have the official floor.

    2020 has no domains and only arithmetic means.
    """
    sections = list(sections)
    if definition is OF_2020:
        return {"arithmetic mean": {name: fmean(values[name] for values in sections) for name in ("AUC", "pAUC")}}
    return {
        "arithmetic mean": {column: fmean(_column(sections, column, DOMAINS)) for column in COLUMNS},
        "harmonic mean": {column: harmonic_mean(_column(sections, column, DOMAINS)) for column in COLUMNS},
        **{
            f"{domain} harmonic mean": {c: harmonic_mean(_column(sections, c, [domain])) for c in COLUMNS}
            for domain in DOMAINS
        },
    }


def _column(sections: list[Metrics], column: str, domains: Iterable[str]) -> list[float]:
    # Since 2022 the pAUC has no domain; the evaluator counts it once for each.
    keys = [f"{column} ({domain})" for domain in domains]
    return [values[key if key in values else column] for values in sections for key in keys]


def _printed_ci95(sections: list[ScoredSection]) -> float | None:
    half_width = evaluator_ci95(
        np.concatenate([section.labels for section in sections]),
        np.concatenate([section.scores for section in sections]),
    )
    return None if math.isnan(half_width) else half_width
