"""Metadata of the clips that an augmentation makes from training clips."""

import pyarrow as pa

from asdlib.data.tables import CLIP_FIELDS

_FIXED = {
    "kind": "train",
    "split": "train",
    "label": "normal",
}  # training clips are normal, and so are clips made from them


def made_clips(clips: pa.Table, rows: list[int], names: list[str]) -> pa.Table:
    """Return the metadata of one new training clip per entry of `rows`: that row of `clips` with another name."""
    made = clips.select(CLIP_FIELDS.names).take(rows)
    for column, values in {"clip": names, **{key: [value] * len(rows) for key, value in _FIXED.items()}}.items():
        made = made.set_column(CLIP_FIELDS.get_field_index(column), column, pa.array(values, pa.string()))
    return made
