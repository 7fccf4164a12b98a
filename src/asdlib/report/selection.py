"""The clips shown in the report: the most and the least anomalous of every variant."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


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
