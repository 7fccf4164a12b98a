"""The report's tables: our figures next to the reported ones, and their difference with a sign and a colour."""

import math
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.errors import AsdError
from asdlib.evaluation.false_alarms import is_far_over
from asdlib.evaluation.figures import DECISION_FIGURES, DEFINITIONS, OF_2020, TITLES, Definition
from asdlib.evaluation.score_table import KEYS, MEAN, METRIC, SD, bounds, is_partial, read_score_table
from asdlib.report.settings import ShownSystem
from asdlib.workflow import paths
from asdlib.workflow.words import ALL

MINUS = "−"
DASH = "–"
STAR = " *"  # the score is the mean of other figures than the official ones
FAR_MARK = " !"  # more than twice the promised false alarms
# Ends of a diverging scale that is safe for colour-blind readers: orange below, white between, blue above.
BELOW, ABOVE = (247, 170, 82), (122, 182, 217)
WIDEST = 10.0  # a difference of this many points has the full colour
CHANCE, FAR = 50.0, 25.0  # a figure this many points from chance has the full colour
MEANS = {"hmean": "harmonic", "amean": "arithmetic"}
Cell = dict[str, Any]  # text, and the colour of its background or None


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """Return the rows of all systems' tables."""
    return pd.concat(map(read_score_table, paths), ignore_index=True)


def refuse_gaps(rows: pd.DataFrame, system: ShownSystem, datasets: dict[str, list[str]], seeds: list[int]) -> None:
    """Raise AsdError unless the rows of a system have every variant and machine of the datasets for every seed.

    The row of a machine with several sections is that of all of them. If the end of its table were missing, the page
    would lack some figures; if a row were there twice, it would show one figure in two lines.
    """
    keys = ["seed", "variant", "dataset", "machine"]
    own = rows[rows["system"] == system.name]
    for one in own[own.duplicated([*keys, "section"])][keys].itertuples(index=False, name=None):
        where, table = "/".join(one[1:]), paths.scores(system.name)
        raise AsdError(f"{table}: has a row of {where}, seed {one[0]}, twice: delete it and run again")
    of_machines = own[(own["section"] == ALL) | ~own.duplicated(keys, keep=False)]
    found = set(of_machines[keys].itertuples(index=False, name=None))
    needed = [*map(str, seeds), *([MEAN, SD] if len(seeds) > 1 else [])]
    for dataset, machines in datasets.items():
        for one in product(needed, system.variants, [dataset], [*machines, ALL]):
            if one not in found:
                where, table = "/".join(one[1:]), paths.scores(system.name)
                raise AsdError(f"{table}: has no row of {where}, seed {one[0]}: delete it and run again")


def definition(rows: pd.DataFrame, dataset: str) -> Definition:
    """Return the definition that a dataset's figures follow."""
    return DEFINITIONS[rows.loc[rows["dataset"] == dataset, METRIC].iloc[0]]


def titles(rows: pd.DataFrame, dataset: str) -> list[str]:
    """Return the heads of a dataset's figures in the order of `overview` and `full`: the score comes first."""
    return [TITLES[name] for name in _ordered(definition(rows, dataset))]


def score_title(rows: pd.DataFrame, dataset: str) -> str:
    """Return the head of the score in the row of the machine `all`; in 2020, systems were ranked by their ranks."""
    return TITLES["amean"] if definition(rows, dataset) is OF_2020 else "official score"


def overview(rows: pd.DataFrame, dataset: str) -> list[dict[str, Any]]:
    """Return a line for each variant (the row of the machine `all`): ours, reported and the difference of all figures.

    Ours has its 95 % interval. With several seeds, it is mean ± sample standard deviation, and the difference is that
    of the mean.
    """
    chosen = definition(rows, dataset)
    return [_line(row, chosen) for row in overall(rows, dataset)]


def overall(rows: pd.DataFrame, dataset: str) -> list[dict[str, Any]]:
    """Return the row of the machine `all` of each variant on a dataset; with several seeds, that of their mean."""
    own = rows[(rows["dataset"] == dataset) & (rows["machine"] == ALL)]
    return _over_seeds(own, definition(rows, dataset)).to_dict("records")


def by_machine(rows: pd.DataFrame, dataset: str) -> dict[str, Any]:
    """Return the scores of a dataset: a column for each machine, after those of its sections; a line for each variant.

    A machine with one section has no column for the section.
    """
    score = definition(rows, dataset).score
    own = _over_seeds(rows[(rows["dataset"] == dataset) & (rows["machine"] != ALL)], definition(rows, dataset))
    several = own["machine"].isin(own.loc[own["section"] == ALL, "machine"]) & (own["section"] != ALL)
    column = own["machine"].mask(several, own["machine"] + " " + own["section"])
    figures = own.set_index(["system", "variant", column])[score].unstack(sort=False)
    lines = [
        {"system": system, "variant": variant, "cells": [_against_chance(figure) for figure in row]}
        for (system, variant), row in zip(figures.index, figures.to_numpy(), strict=True)
    ]
    return {"columns": figures.columns.tolist(), "lines": lines}


def full(rows: pd.DataFrame, dataset: str) -> list[dict[str, Any]]:
    """Return every row of a dataset: seeds, mean and sd."""
    own = rows[rows["dataset"] == dataset]
    chosen = definition(rows, dataset)
    return [{**_line(row, chosen), "row": row} for row in own.to_dict("records")]


def compared_figures(lines: list[dict[str, Any]]) -> list[bool]:
    """Return for each figure whether any line of `overview` or `full` has a reported one to compare ours with."""
    columns = zip(*(line["figures"] for line in lines), strict=True)
    return [any(figure["reported"] != DASH for figure in column) for column in columns]


def recipes(rows: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Return (variant, seed, recipe) of a system's rows, seeds in numerical order."""
    found = _of_seeds(rows)[["variant", "seed", "recipe"]].drop_duplicates()
    variants = pd.CategoricalDtype(rows["variant"].unique(), ordered=True)
    ordered = found.astype({"variant": variants, "seed": int}).sort_values(["variant", "seed"])
    return list(ordered.itertuples(index=False, name=None))


def seeds(rows: pd.DataFrame) -> list[int]:
    """Return the seeds of a table in numerical order."""
    return sorted(_of_seeds(rows)["seed"].astype(int).unique().tolist())


def _of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["seed"].isin([MEAN, SD])]


def _over_seeds(rows: pd.DataFrame, chosen: Definition) -> pd.DataFrame:
    """Return the rows that summarise the seeds (those of the only seed, or `mean`), with columns `sd_<figure>`."""
    deviations = rows[rows["seed"] == SD].set_index(list(KEYS))[list(chosen.figures)].add_prefix("sd_")
    summary = rows if deviations.empty else rows[rows["seed"] == MEAN]
    return summary.join(deviations, on=list(KEYS))


def _ordered(chosen: Definition) -> list[str]:
    return [chosen.score, *chosen.columns]


def _line(row: dict[str, Any], chosen: Definition) -> dict[str, Any]:
    figures = [_figure(row, name) for name in _ordered(chosen)]
    if is_partial(row):
        figures[0]["ours"] += STAR
    told = {name: row[name] for name in ("system", "variant", "recipe", "note")}
    decisions = [rounded(row[name]) for name in ("auc", *DECISION_FIGURES)]
    if is_far_over(row):
        decisions[1] += FAR_MARK
    return {**told, "figures": figures, "decisions": decisions}


def _figure(row: dict[str, Any], name: str) -> dict[str, Any]:
    deviation = row.get(f"sd_{name}", math.nan)
    spread = "" if math.isnan(deviation) else f" ± {rounded(deviation)}"
    reported = row.get(f"reported_{name}", math.nan)  # the reports have no figures of other definitions
    return {
        "ours": rounded(row[name]) + spread,
        "interval": interval(*(row[end] for end in bounds(name))),
        "reported": rounded(reported),
        "difference": _difference(row[name] - reported),
    }


def interval(low: float, high: float) -> str:
    """Return a 95 % interval in whole points, or an empty text if it is unknown."""
    return "" if math.isnan(low) else f"{low:.0f}–{high:.0f}"


def rounded(figure: float) -> str:
    """Return a figure with two decimals, or a dash for NaN."""
    return DASH if math.isnan(figure) else f"{figure:.2f}"


def _difference(points: float) -> Cell:
    if math.isnan(points):
        return {"text": DASH, "colour": None}
    sign = "+" if points >= 0 else MINUS
    return {"text": f"{sign}{abs(points):.2f}", "colour": _colour(points / WIDEST)}


def _against_chance(figure: float) -> Cell:
    colour = None if math.isnan(figure) else _colour((figure - CHANCE) / FAR)
    return {"text": rounded(figure), "colour": colour}


def _colour(share: float) -> str:
    """Return a colour between BELOW (-1), white (0) and ABOVE (1); dark text is readable on all of them."""
    end = ABOVE if share > 0 else BELOW
    strength = min(abs(share), 1.0)
    return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in end)
