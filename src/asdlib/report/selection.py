"""Which clips a report lets one hear: the strangest and the most ordinary by every variant."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def ends(rows: Sequence[Row], count: int) -> list[Row]:
    """Return a variant's `count` most and least anomalous clips, with `end` and `rank` (1 is the most anomalous).

    `rows` are those of clips.csv. Clips of the same score follow their names; none is at both ends.
    """
    ranked = sorted(rows, key=lambda row: (-float(row["anomaly_score"]), row["clip"]))
    placed = [{**row, "rank": rank, "of": len(ranked)} for rank, row in enumerate(ranked, 1)]
    most, rest = placed[:count], placed[count:]
    least = rest[max(len(rest) - count, 0) :]
    return [{**row, "end": "most"} for row in most] + [{**row, "end": "least"} for row in reversed(least)]
