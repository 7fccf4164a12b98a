"""A class of the joint training is one section, machine, domain and attributes."""

import pyarrow as pa
import torch

from asdlib.blocks.classes import class_names
from asdlib.blocks.clips import Clips
from asdlib.data.tables import clip_rows


def test_names() -> None:
    common = {"split": "train", "label": "normal", "kind": "train", "frames": 5, "source_file": "x", "clip": "x"}
    rows = [
        {**common, "section": "00", "domain": "source", "attributes": {"spd": "2"}},
        {**common, "section": "01", "domain": "target", "attributes": {}},
    ]
    clips = Clips(clip_rows(rows).append_column("machine", pa.array(["fan", "fan"])), torch.zeros(2, 5, 1))
    assert class_names(clips) == ["00, fan, source, spd=2", "01, fan, target"]
    assert class_names(clips, domain=False) == ["00, fan, spd=2", "01, fan"]
