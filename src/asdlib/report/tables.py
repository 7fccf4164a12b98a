"""The tables of figures: a system's scores.csv, ours beside the report's, the difference with a sign and a colour."""

import csv
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError

FIGURES = {"hmean": "h-mean", "auc_source": "AUC source", "auc_target": "AUC target", "pauc": "pAUC"}
ALL = "all"
MEAN, SD = "mean", "sd"
MINUS = "−"
DASH = "–"
# Ends of a diverging scale that people with any colour vision tell apart: orange below, blue above, white between.
BELOW, ABOVE = (247, 170, 82), (122, 182, 217)
WIDEST = 10.0  # points of difference that take the full colour
CHANCE, FAR = 50.0, 25.0  # points from chance that take the full colour
Row = dict[str, str]
Cell = dict[str, Any]  # text, and a colour of its background where it has one


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a system's table."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): run again, and it is made anew") from error


def overview(rows: list[Row], dataset: str) -> list[dict[str, Any]]:
    """Return one line a variant (row `all`): ours, reported and the difference of all four figures.

    With several seeds, ours is mean ± sample standard deviation, and the difference is the mean's.
    """
    of_all = [row for row in rows if row["dataset"] == dataset and row["machine"] == ALL]
    return [_line(own, deviation) for own, deviation in _joined(of_all)]


def by_machine(rows: list[Row], dataset: str) -> dict[str, Any]:
    """Return the h-means of a dataset: columns `<machine>` (or `<machine> <section>`), and one line a variant."""
    of_machines = [row for row in rows if row["dataset"] == dataset and row["machine"] != ALL]
    sections = {row["section"] for row in of_machines}
    cells: dict[tuple[str, str], dict[str, Cell]] = {}
    for row, _ in _joined(of_machines):
        place = row["machine"] if len(sections) == 1 else f"{row['machine']} {row['section']}"
        cells.setdefault((row["system"], row["variant"]), {})[place] = _against_chance(row["hmean"])
    places = list(dict.fromkeys(place for line in cells.values() for place in line))
    lines = [{"system": s, "variant": v, "cells": [line[place] for place in places]} for (s, v), line in cells.items()]
    return {"places": places, "lines": lines}


def full(rows: list[Row], dataset: str) -> list[dict[str, Any]]:
    """Return every row of a dataset, seeds, mean and sd one by one."""
    return [{**_line(row, None), "row": row} for row in rows if row["dataset"] == dataset]


def any_reported(lines: list[dict[str, Any]]) -> bool:
    """Tell whether lines of `overview` or `full` have a reported figure: else there is nothing to set ours beside."""
    return any(figure["reported"] != DASH for line in lines for figure in line["figures"])


def recipes(rows: list[Row]) -> list[tuple[str, str, str]]:
    """Return (variant, seed, recipe) of a system's rows, seeds as numbers follow each other."""
    found = {(row["variant"], row["seed"], row["recipe"]) for row in rows if row["seed"] not in (MEAN, SD)}
    order = list(dict.fromkeys(row["variant"] for row in rows))
    return sorted(found, key=lambda line: (order.index(line[0]), int(line[1])))


def seeds(rows: list[Row]) -> list[str]:
    """Return the seeds that a table holds, as numbers follow each other."""
    return sorted({row["seed"] for row in rows} - {MEAN, SD}, key=int)


def _joined(rows: list[Row]) -> list[tuple[Row, Row | None]]:
    """Return the rows that stand for all seeds, each with its row `sd`: those of the one seed, or `mean`."""
    deviations = {_key(row): row for row in rows if row["seed"] == SD}
    if not deviations:
        return [(row, None) for row in rows]
    return [(row, deviations[_key(row)]) for row in rows if row["seed"] == MEAN]


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("system", "variant", "dataset", "machine", "section"))


def _line(row: Row, deviation: Row | None) -> dict[str, Any]:
    figures = [_figure(row, deviation, name) for name in FIGURES]
    return {"system": row["system"], "variant": row["variant"], "recipe": row["recipe"], "figures": figures}


def _figure(row: Row, deviation: Row | None, name: str) -> dict[str, Any]:
    ours, reported = row[name], row[f"reported_{name}"]
    spread = f" ± {rounded(deviation[name])}" if deviation and deviation[name] else ""
    return {"ours": rounded(ours) + spread, "reported": rounded(reported), "difference": _difference(ours, reported)}


def rounded(figure: str) -> str:
    """Return a figure with two decimals; a dash where there is none."""
    return f"{float(figure):.2f}" if figure else DASH


def _difference(ours: str, reported: str) -> Cell:
    if not (ours and reported):
        return {"text": DASH, "colour": None}
    difference = float(ours) - float(reported)
    sign = "+" if difference >= 0 else MINUS
    return {"text": f"{sign}{abs(difference):.2f}", "colour": _colour(difference / WIDEST)}


def _against_chance(figure: str) -> Cell:
    colour = _colour((float(figure) - CHANCE) / FAR) if figure else None
    return {"text": rounded(figure), "colour": colour}


def _colour(share: float) -> str:
    """Return a colour between BELOW (-1), white (0) and ABOVE (1); dark text is readable on all of them."""
    end = ABOVE if share > 0 else BELOW
    strength = min(abs(share), 1.0)
    return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in end)
