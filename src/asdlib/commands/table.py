"""`asdlib table`: scores.csv files as a readable table, our figures next to the reported ones."""

import argparse
import math
from pathlib import Path
from typing import Any

from asdlib.commands.text_table import text_table
from asdlib.errors import AsdError, and_more, printable
from asdlib.evaluation.figures import DEFINITIONS, TITLES
from asdlib.workflow import paths
from asdlib.workflow.words import ALL

RATES = ("false_alarms", "recall")  # of the decisions
MADE = paths.scores("*")  # those of all systems
HELP = "print scores.csv files, our figures next to the reported ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "files", type=Path, nargs="*", metavar="scores.csv", help=f"the tables of systems (default: {MADE})"
    )


def run(args: argparse.Namespace) -> None:
    """Print one table with the rows of all files, and what is said of rows; a dash stands for a missing figure."""
    import pandas as pd

    from asdlib.evaluation.score_table import KEYS, METRIC, NOTE, is_partial, read_score_table

    rows = pd.concat(map(read_score_table, args.files or _made()))
    keys = [*KEYS, "seed"]
    used = {figure for name in rows[METRIC].unique() for figure in DEFINITIONS[name].figures}
    shown = {figure: title for figure, title in TITLES.items() if figure in used}
    records = rows.to_dict("records")
    partial = any(map(is_partial, records))
    if partial:
        shown = {"auc": TITLES["auc"]} | shown  # the main figure where domains are missing
    heads = [*keys, *shown.values(), *(TITLES[name] for name in RATES)]
    table = [[*(row[key] for key in keys), *(_cell(row, figure) for figure in shown), *_rates(row)] for row in records]
    print(text_table(heads, table, left=len(keys)))
    print("\nOurs (95 % interval) / reported. Reported figures are shown only for the dataset to which they refer.")
    print("False alarms and recall are those of the threshold; ! means more than twice the promised false alarms.")
    if partial:
        print("* is the mean of other figures than the official ones, because domains are missing (column mean_of).")
    for note in _notes([row for row in records if row[NOTE] and row["section"] not in ("", ALL)]):
        print(note)


def _made() -> list[Path]:
    """Return the tables of all systems in the working directory. Raises AsdError if there is none."""
    found = sorted(Path().glob(MADE))
    if not found:
        remedy = f"name a file, or run a system first, such as `snakemake {paths.scores('baseline')} --cores 2`"
        raise AsdError(f"{MADE}: there is none in {Path.cwd()}: {remedy}")
    return found


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    """Return every note of sections once, with the first section and the number of others that have it."""
    where: dict[str, list[str]] = {}
    for row in rows:
        place = f"{row['system']} {row['variant']}, {row['dataset']}/{row['machine']} section {row['section']}"
        where.setdefault(row["note"], []).append(place)
    return [printable(f"{places[0]}{and_more(places)}: {note}") for note, places in where.items()]


def _cell(row: dict[str, Any], figure: str) -> str:
    from asdlib.evaluation.score_table import METRIC, bounds, is_partial

    low, high = (row[end] for end in bounds(figure))
    interval = "" if math.isnan(low) else f" ({low:.0f}-{high:.0f})"
    star = "*" if figure == DEFINITIONS[row[METRIC]].score and is_partial(row) else ""
    return f"{_rounded(row[figure])}{star}{interval} / {_rounded(row.get(f'reported_{figure}', math.nan))}"


def _rates(row: dict[str, Any]) -> list[str]:
    from asdlib.evaluation.false_alarms import is_far_over

    cells = [_rounded(row[name]) for name in RATES]
    return [cells[0] + "!", *cells[1:]] if is_far_over(row) else cells


def _rounded(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.2f}"
