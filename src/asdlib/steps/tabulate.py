"""Put a system's scores beside the truth and the report's own figures."""

from pathlib import Path

from asdlib.evaluation.reported import load_reported, nothing_reported
from asdlib.evaluation.tables import TableSettings, make_tables, write_table


def tabulate(reported: list[Path], scores: Path, clips: Path, settings: TableSettings) -> None:
    """Write the tables `scores` and `clips` (CSV) of a system.

    `reported` is the table of the report's figures, if the system has one.
    """
    figures = load_reported(reported[0]) if reported else nothing_reported()
    score_table, clip_table = make_tables(settings, figures)
    write_table(clip_table, clips)
    write_table(score_table, scores)
