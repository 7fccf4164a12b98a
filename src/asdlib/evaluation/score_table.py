"""The table scores.csv of a system: its columns, and how it is read back."""

import io
from pathlib import Path

import pandas as pd

from asdlib.data.csv_cells import unguarded
from asdlib.data.text_files import read_text
from asdlib.errors import AsdError
from asdlib.evaluation.figures import FIGURES

KEYS = ("system", "variant", "dataset", "machine", "section")
REPORTED = tuple(f"reported_{name}" for name in FIGURES)
SCORE_COLUMNS = (*KEYS, *FIGURES, *REPORTED, "n_train", "n_test", "seed", "recipe")
MEAN, SD = "mean", "sd"  # in place of a seed


def read_score_table(path: Path) -> pd.DataFrame:
    """Return a system's scores.csv: figures as floats, NaN where a cell is empty, everything else as text."""
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False).map(unguarded)
        missing = [name for name in SCORE_COLUMNS if name not in table]
        if missing:
            raise AsdError(
                f"{path}: has no column {missing[0]}: name the scores.csv of a system; if it is one, delete it and run"
                " again"
            )
        figures = [*FIGURES, *REPORTED]
        return table.assign(**table[figures].replace("", "nan").astype(float))
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): run `snakemake {path} --cores 2` first") from error
    except ValueError as error:  # no text, no CSV, or a figure that is no number
        reason = " ".join(str(error).split())
        raise AsdError(f"{path}: is not a table of scores ({reason}): delete it and run again") from error
