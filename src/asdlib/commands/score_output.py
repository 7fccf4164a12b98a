"""What `asdlib score` prints: rows for clips, or for the recordings that they were split from."""

import json
from typing import TYPE_CHECKING, Any

from asdlib.commands.text_table import text_table
from asdlib.data.csv_cells import as_csv
from asdlib.errors import printable

if TYPE_CHECKING:
    from asdlib.commands.new_clips import Scores
    from asdlib.commands.scoring_target import ScoringTarget

CLIP_COLUMNS = ("clip", "anomaly_score", "threshold", "decision", "percentile")
FILE_COLUMNS = ("file", "clips", "anomaly_score", "max_score", "threshold", "decision", "percentile")


def clip_rows(scores: "Scores") -> list[dict[str, Any]]:
    """Return a row for each clip."""
    decided = (scores.anomaly_score > scores.threshold).tolist()
    percentiles = scores.percentiles(scores.anomaly_score).tolist()
    columns = map(str, scores.clips), scores.anomaly_score.tolist(), decided, percentiles
    return [
        dict(zip(CLIP_COLUMNS, (name, score, scores.threshold, int(decision), percentile), strict=True))
        for name, score, decision, percentile in zip(*columns, strict=True)
    ]


def file_rows(scores: "Scores") -> list[dict[str, Any]]:
    """Return a row for each recording: its score is the mean of its clips, and the decision is about this mean."""
    rows = []
    for path, own in zip(scores.files, scores.by_file(), strict=True):
        mean = own.mean(dtype=float).astype(own.dtype)  # that of a single clip is the clip's score
        decision, percentile = int(mean > scores.threshold), float(scores.percentiles(mean))
        cells = str(path), len(own), float(mean), float(own.max()), scores.threshold, decision, percentile
        rows.append(dict(zip(FILE_COLUMNS, cells, strict=True)))
    return rows


def as_text(target: "ScoringTarget", scores: "Scores", by_file: bool) -> str:
    """Return a table to read, and what its figures mean."""
    rows = [tuple(_cell(name, value) for name, value in row.items()) for row in _rows(scores, by_file)]
    variant, machine = target.variant, f"{target.dataset}/{target.machine}"
    lines = [
        f"{variant.system} {variant.name}, {machine} section {target.section}. Percentile: the share of the "
        f"{len(scores.train_score)} normal training clips that score",
        f"lower, in percent; {scores.percentiles(scores.threshold):.1f} % of them score below the threshold.",
    ]
    if by_file:
        lines.append("anomaly_score: the mean of the recording's clips; max_score: the highest of them.")
    return "\n".join([text_table(FILE_COLUMNS if by_file else CLIP_COLUMNS, rows), "", *lines])


def as_csv_text(target: "ScoringTarget", scores: "Scores", by_file: bool) -> str:
    """Return the rows as CSV."""
    import pandas as pd

    name = "file" if by_file else "clip"
    rows = [{**row, name: printable(row[name])} for row in _rows(scores, by_file)]
    return as_csv(pd.DataFrame(rows)).rstrip("\n")


def as_json(target: "ScoringTarget", scores: "Scores", by_file: bool) -> str:
    """Return the rows of clips and of recordings as JSON, and what they have in common."""
    head = {
        "system": target.variant.system,
        "variant": target.variant.name,
        "dataset": target.dataset,
        "machine": target.machine,
        "section": target.section,
        "seed": target.variant.seed,
        "recipe": target.variant.recipe,
        "n_train": len(scores.train_score),
        "threshold": scores.threshold,
        "threshold_percentile": float(scores.percentiles(scores.threshold)),
    }
    # Names are not escaped: JSON has escapes of its own, which a reader undoes.
    rows = {"clips": _without_threshold(clip_rows(scores)), "files": _without_threshold(file_rows(scores))}
    return json.dumps({**head, **rows}, indent=1, allow_nan=False)


def _rows(scores: "Scores", by_file: bool) -> list[dict[str, Any]]:
    return file_rows(scores) if by_file else clip_rows(scores)


def _without_threshold(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "threshold"} for row in rows]


def _cell(name: str, value: Any) -> str:
    if name == "decision":
        return "anomaly" if value else "normal"
    if name == "percentile":
        return f"{value:.1f}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
