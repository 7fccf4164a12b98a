"""`asdlib table`: scores.csv files as a readable table, our figures next to the reported ones."""

import argparse
import math
from pathlib import Path
from typing import Any

from asdlib.commands.text_table import text_table
from asdlib.evaluation.figures import DEFINITIONS, TITLES

HELP = "print scores.csv files, our figures next to the reported ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("files", type=Path, nargs="+", metavar="scores.csv")


def run(args: argparse.Namespace) -> None:
    """Print one table with the rows of all files; a dash stands for a missing figure."""
    import pandas as pd

    from asdlib.evaluation.score_table import KEYS, METRIC, read_score_table

    rows = pd.concat(map(read_score_table, args.files))
    keys = [*KEYS, "seed"]
    used = {figure for name in rows[METRIC].unique() for figure in DEFINITIONS[name].figures}
    shown = {figure: title for figure, title in TITLES.items() if figure in used}
    records = rows.to_dict("records")
    table = [[row[key] for key in keys] + [_cell(row, figure) for figure in shown] for row in records]
    print(text_table([*keys, *shown.values()], table, left=len(keys)))
    print("\nOurs (95 % interval) / reported. Reported figures are shown only for the dataset to which they refer.")


def _cell(row: dict[str, Any], figure: str) -> str:
    from asdlib.evaluation.score_table import bounds

    low, high = (row[end] for end in bounds(figure))
    interval = "" if math.isnan(low) else f" ({low:.0f}-{high:.0f})"
    return f"{_rounded(row[figure])}{interval} / {_rounded(row.get(f'reported_{figure}', math.nan))}"


def _rounded(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.2f}"
