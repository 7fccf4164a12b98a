"""`asdlib table`: a system's scores.csv as a table for the eye, ours beside reported."""

import argparse
import csv
from pathlib import Path

from asdlib.errors import AsdError

HELP = "print scores.csv files, ours beside reported, in percent"
FIGURES = {"auc_source": "AUC source", "auc_target": "AUC target", "pauc": "pAUC", "hmean": "h-mean"}
KEYS = ("system", "variant", "dataset", "machine", "section", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("files", type=Path, nargs="+", metavar="scores.csv")


def run(args: argparse.Namespace) -> None:
    """Print one table of all files' rows; a dash stands where a figure is missing."""
    rows = [[*KEYS, *FIGURES.values()]]
    for path in args.files:
        rows += [_cells(row) for row in _read(path)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            f"{cell:{'<' if column < len(KEYS) else '>'}{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print("\nOurs / reported. A report's figures stand beside the dataset that it reports on, and no other.")


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): run `snakemake {path} --cores 2` first") from error
    missing = [name for name in (*KEYS, *FIGURES) if not rows or name not in rows[0]]
    if missing:
        raise AsdError(f"{path}: has no column {missing[0]}: name a scores.csv of the workflow")
    return rows


def _cells(row: dict[str, str]) -> list[str]:
    figures = [f"{_rounded(row[name])} / {_rounded(row[f'reported_{name}'])}" for name in FIGURES]
    return [*(row[key] for key in KEYS), *figures]


def _rounded(figure: str) -> str:
    return f"{float(figure):.2f}" if figure else "-"
