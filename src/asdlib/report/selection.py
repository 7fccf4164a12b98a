"""The clips shown in the report: the most and the least anomalous of every variant, and some of the others."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.evaluation.score_table import read_clip_scores
from asdlib.report.settings import ShownMachine, ShownVariant
from asdlib.scoring.training_scores import read_refusal

Row = dict[str, Any]


def scored_clips(path: Path, settings: ShownMachine) -> list[Row]:
    """Return a machine's rows of clips.csv for the first seed.

    Raises AsdError unless there is one row for every test clip and variant that has scored the section. The table may
    be empty if none has scored any.
    """
    if all(refusal(variant, section) for variant in settings.variants for section in settings.sections):
        return []
    table = read_clip_scores(path)
    wanted = {"dataset": settings.dataset, "machine": settings.machine, "seed": str(settings.seed)}
    rows = table[(table[list(wanted)] == list(wanted.values())).all(axis=1)].to_dict("records")
    found = Counter((row["variant"], row["section"], row["clip"]) for row in rows)
    for clip in ClipTable(Path(settings.audio)).clips("test").to_pylist():
        if clip["section"] not in settings.sections:
            continue
        name = clip["source_file"].rpartition("/")[2]
        for variant in settings.variants:
            count = found[variant.variant, clip["section"], name]
            if count != 1 and not refusal(variant, clip["section"]):
                what = f"{count} rows of {settings.machine}/{name} for variant {variant.variant}"
                raise AsdError(f"{path}: has {what}: delete it and run again")
    return rows


def refusal(variant: ShownVariant, section: str) -> str | None:
    """Return why a variant has scored no clip of a section; None if it has."""
    return read_refusal(Path(variant.training_scores_of(section)))


def scored_somewhere(variant: ShownVariant, settings: ShownMachine) -> bool:
    """Return whether a variant has scored a section; otherwise its views and embeddings may not have been made."""
    return not all(refusal(variant, section) for section in settings.sections)


def ends(rows: Sequence[Row], count: int) -> list[Row]:
    """Return a variant's `count` most and `count` least anomalous rows of clips.csv, each clip at most once.

    The rows get `end` (`most` or `least`), `rank` (1 is the most anomalous) and `of`, the number of clips. Clips with
    the same score are ordered by name.
    """
    ranked = sorted(rows, key=lambda row: (-float(row["anomaly_score"]), row["clip"]))
    placed = [{**row, "rank": rank, "of": len(ranked)} for rank, row in enumerate(ranked, 1)]
    most, rest = placed[:count], placed[count:]
    least = rest[max(len(rest) - count, 0) :]
    return [{**row, "end": "most"} for row in most] + [{**row, "end": "least"} for row in reversed(least)]


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """Return the rows of at most `count` clips, evenly spaced in the order of their names.

    The choice does not depend on scores, so that the systems choose the same clips, which are stored once.
    """
    named = {row["clip"]: row for row in rows}
    names = sorted(named)
    if len(names) > count:
        names = [names[index] for index in np.linspace(0, len(names) - 1, count).round().astype(int)]
    return [named[name] for name in names]


def foremost(rows: Sequence[Row], count: int) -> list[Row]:
    """Return the rows of the `count` clips that any variant ranks highest in its section; of equal ranks, by name."""
    best: dict[str, tuple[int, str]] = {}
    named = {row["clip"]: row for row in rows}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["variant"], row["section"]), []).append(row)
    for own in groups.values():
        for row in ends(own, len(own)):
            best[row["clip"]] = min(best.get(row["clip"], (len(rows), row["clip"])), (row["rank"], row["clip"]))
    return [named[name] for name in sorted(best, key=best.__getitem__)[:count]]
