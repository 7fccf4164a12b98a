"""The tables scores.csv and clips.csv of a system: their columns, and how they are read back."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from asdlib.data.csv_cells import unguarded
from asdlib.data.listing import is_file
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.evaluation.figures import FIGURES

KEYS = ("system", "variant", "dataset", "machine", "section")
REPORTED = tuple(f"reported_{name}" for name in FIGURES)
SCORE_COLUMNS = (*KEYS, *FIGURES, *REPORTED, "n_train", "n_test", "seed", "recipe")
CLIP_COLUMNS = (*KEYS, "seed", "clip", "domain", "label", "attributes", "anomaly_score", "decision")
MEAN, SD = "mean", "sd"  # in place of a seed


def read_score_table(path: Path) -> pd.DataFrame:
    """Return a system's scores.csv: figures as floats, NaN where a cell is empty, everything else as text."""
    if not is_file(path):
        raise AsdError(f"{path}: cannot be read (No such file or directory): run `snakemake {path} --cores 2` first")
    with _damage(path, "scores"):
        table = _read(path, SCORE_COLUMNS, "scores.csv")
        figures = [*FIGURES, *REPORTED]
        return table.assign(**table[figures].replace("", "nan").astype(float))


def read_clip_scores(path: Path) -> pd.DataFrame:
    """Return a system's clips.csv: scores as floats, decisions as integers, everything else as text."""
    with _damage(path, "clips"):
        table = _read(path, CLIP_COLUMNS, "clips.csv")
        return table.astype({"anomaly_score": float, "decision": int})


def _read(path: Path, columns: tuple[str, ...], name: str) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(whole_text(path)), dtype=str, keep_default_na=False).map(unguarded)
    missing = [column for column in columns if column not in table]
    if missing:
        raise AsdError(
            f"{path}: has no column {missing[0]}: name the {name} of a system; if it is one, delete it and run again"
        )
    if table.empty:
        raise ValueError("it has no rows")
    return table


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Raise AsdError for text that is not CSV, and for a cell that should be a number and is not."""
    try:
        yield
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise AsdError(f"{path}: is not a table of {what} ({reason}): delete it and run again") from error
