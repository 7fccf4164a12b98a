"""Compare a system's scores with the ground truth and with the reported figures."""

from pathlib import Path

from asdlib.evaluation.reported import load_reported, nothing_reported
from asdlib.evaluation.tables import TableSettings, make_tables, write_table


def tabulate(reported: list[Path], scores: Path, clips: Path, files: Path, settings: TableSettings) -> None:
    """Write a system's tables `scores`, `clips` and `files` (CSV).

    `reported` contains the table of reported figures; it is empty for a system without a report.
    """
    figures = load_reported(reported[0]) if reported else nothing_reported()
    score_table, clip_table, own_files = make_tables(settings, figures)
    write_table(clip_table, clips)
    write_table(own_files, files)
    write_table(score_table, scores)
