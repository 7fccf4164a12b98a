"""The table files.csv of a system: a row for every recording, which may have been split into several clips."""

import pandas as pd

from asdlib.evaluation.score_table import CLIP_COLUMNS, KEYS

SCORED_COLUMNS = (*CLIP_COLUMNS, "file", "threshold")  # what `file_table` needs
FILE_COLUMNS = (
    *KEYS, "seed", "file", "clips", "domain", "label", "attributes", "anomaly_score", "max_score", "decision",
)  # fmt: skip


def file_table(clips: pd.DataFrame) -> pd.DataFrame:
    """Return files.csv from the scored clips, which have the columns SCORED_COLUMNS.

    The score of a recording is the mean of its clips. It is called anomalous if this mean exceeds the threshold, which
    is fitted to clips: the maximum of many normal clips would exceed it far more often than promised.
    """
    table = clips.groupby([*KEYS, "seed", "file"], sort=False, as_index=False).agg(
        clips=("clip", "size"),
        domain=("domain", "first"),
        label=("label", "first"),
        attributes=("attributes", "first"),
        anomaly_score=("anomaly_score", "mean"),
        max_score=("anomaly_score", "max"),
        threshold=("threshold", "first"),
    )
    return table.assign(decision=(table["anomaly_score"] > table["threshold"]).astype(int))[list(FILE_COLUMNS)]
