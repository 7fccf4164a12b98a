"""Clips with given features, for the models' tests."""

import pyarrow as pa
from torch import Tensor

from asdlib.examples.clips import Clips


def clips(features: Tensor, frames: list[int], domains: list[str]) -> Clips:
    """Return clips with the given features (N, frames, bands), numbers of real frames and domains."""
    columns = {
        "dataset": ["toy"] * len(frames),
        "source_file": [f"train/{number}.wav" for number in range(len(frames))],
        "frames": pa.array(frames, pa.int32()),
        "domain": domains,
    }
    return Clips(pa.table(columns), features)
