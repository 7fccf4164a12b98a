"""The tables scores.csv and clips.csv of a system: their columns, and how they are read back."""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.data.csv_cells import unguarded
from asdlib.data.listing import is_file
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.evaluation.figures import ALL_FIGURES, BOUNDS, DECISION_FIGURES, DEFINITIONS, FIGURES, MEAN_OF

KEYS = ("system", "variant", "dataset", "machine", "section")
METRIC = "metric"  # the name of the definition that a row's figures follow
REPORTED = tuple(f"reported_{name}" for name in FIGURES)  # all reports are of 2025
COUNTS = ("n_train", "n_test", "n_labelled", "n_normal")  # the last three of test clips
PROMISED = "promised"  # the rate of false alarms that the threshold is fitted to, in percent
NOTE = "note"  # why figures are missing
CLIP_COLUMNS = (*KEYS, "seed", "clip", "domain", "label", "attributes", "anomaly_score", "decision")
MEAN, SD = "mean", "sd"  # in place of a seed


def bounds(figure: str) -> list[str]:
    """Return the columns of the ends of a figure's 95 % interval."""
    return [f"{figure}_{end}" for end in BOUNDS]


def score_columns(metrics: Collection[str]) -> list[str]:
    """Return the columns of scores.csv: the figures, with their intervals, of the definitions that occur in it."""
    wanted = {figure for name in metrics for figure in DEFINITIONS[name].shown}
    figures = [figure for figure in ALL_FIGURES if figure in wanted]
    ends = [column for figure in figures for column in bounds(figure)]
    decisions = [*DECISION_FIGURES, PROMISED]
    return [*KEYS, METRIC, *figures, MEAN_OF, *ends, *decisions, *REPORTED, *COUNTS, "seed", "recipe", NOTE]


def is_partial(row: Mapping[str, Any]) -> bool:
    """Return whether the score of a row is the mean of other areas than the official ones."""
    return row[MEAN_OF] not in ("", " ".join(DEFINITIONS[row[METRIC]].columns))


def read_score_table(path: Path) -> pd.DataFrame:
    """Return a system's scores.csv: figures as floats, NaN where a cell is empty, everything else as text.

    Figures of definitions that do not occur in the table are NaN, too.
    """
    if not is_file(path):
        raise AsdError(f"{path}: cannot be read (No such file or directory): run `snakemake {path} --cores 2` first")
    with _damage(path, "scores"):
        table = _read(path, (*KEYS, METRIC), "scores.csv")
        unknown = sorted(set(table[METRIC]) - set(DEFINITIONS))
        if unknown:
            raise ValueError(f"there is no metric {unknown[0]!r}")
        _refuse_missing(path, table, score_columns(set(table[METRIC])), "scores.csv")
        numbers = [*(column for figure in ALL_FIGURES for column in (figure, *bounds(figure))), *REPORTED]
        numbers += [*DECISION_FIGURES, PROMISED]
        return table.assign(**table.reindex(columns=numbers).replace("", "nan").astype(float))


def read_clip_scores(path: Path) -> pd.DataFrame:
    """Return a system's clips.csv: scores as floats, decisions as integers, everything else as text."""
    with _damage(path, "clips"):
        table = _read(path, CLIP_COLUMNS, "clips.csv")
        return table.astype({"anomaly_score": float, "decision": int})


def _read(path: Path, columns: tuple[str, ...], name: str) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(whole_text(path)), dtype=str, keep_default_na=False).map(unguarded)
    _refuse_missing(path, table, columns, name)
    if table.empty:
        raise ValueError("it has no rows")
    return table


def _refuse_missing(path: Path, table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise AsdError(
            f"{path}: has no column {missing[0]}: name the {name} of a system; if it is one, delete it and run again"
        )


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Raise AsdError for text that is not CSV, and for a cell that should be a number and is not."""
    try:
        yield
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise AsdError(
            f"{path}: is not a table of {what} ({reason}): name the {what}.csv of a system; "
            "if it is one, delete it and run again"
        ) from error
