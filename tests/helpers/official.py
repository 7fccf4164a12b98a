"""Short forms for tests of the official figures."""

from pathlib import Path

from asdlib.evaluation.evaluator import summarise
from asdlib.evaluation.figures import SINCE_2022
from asdlib.evaluation.score_table import score_columns
from asdlib.evaluation.truth_folders import read_sections

SCORE_COLUMNS = tuple(score_columns([SINCE_2022.name]))  # of a table with the definition of 2022 and later


def evaluate(scores: Path, truth: Path) -> dict:
    """Return the figures of the official evaluator of the truth's year for the submission folder `scores`."""
    definition, sections = read_sections(scores, truth)
    return summarise(sections, definition)
