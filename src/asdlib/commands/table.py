"""`asdlib table`: scores.csv files as a readable table, our figures next to the reported ones."""

import argparse
import math
from pathlib import Path

from asdlib.commands.text_table import text_table
from asdlib.evaluation.figures import TITLES

HELP = "print scores.csv files, our figures next to the reported ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("files", type=Path, nargs="+", metavar="scores.csv")


def run(args: argparse.Namespace) -> None:
    """Print one table with the rows of all files; a dash stands for a missing figure."""
    import pandas as pd

    from asdlib.evaluation.score_table import KEYS, read_score_table

    rows = pd.concat(map(read_score_table, args.files))
    keys = [*KEYS, "seed"]
    table = rows[keys].assign(
        **{
            title: rows[name].map(_rounded) + " / " + rows[f"reported_{name}"].map(_rounded)
            for name, title in TITLES.items()
        }
    )
    print(text_table(list(table), table.itertuples(index=False), left=len(keys)))
    print("\nOurs / reported. Reported figures are shown only for the dataset to which they refer.")


def _rounded(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.2f}"
