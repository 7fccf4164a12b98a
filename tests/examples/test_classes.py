"""Tests of the classes: machine type, domain and attributes, optionally with the section."""

import pyarrow as pa
import torch

from asdlib.data.tables import clip_rows
from asdlib.examples.classes import class_names, class_numbers
from asdlib.examples.clips import Clips


def test_names() -> None:
    common = {"split": "train", "label": "normal", "kind": "train", "frames": 5, "source_file": "x", "clip": "x"}
    rows = [
        {**common, "section": "00", "domain": "source", "attributes": {"spd": "2", "m-n": "X"}},
        {**common, "section": "01", "domain": "target", "attributes": {}},
        {**common, "section": "01", "domain": None, "attributes": {}},
    ]
    machines = pa.array(["fan", "valve", "valve"])
    clips = Clips(clip_rows(rows).append_column("machine", machines), torch.zeros(3, 5, 1))
    assert class_names(clips) == ["fan, source, m-n=X, spd=2", "valve, target", "valve, unknown domain"]
    assert class_names(clips, domain=False) == ["fan, m-n=X, spd=2", "valve", "valve"]
    assert class_names(clips, section=True) == [
        "00, fan, source, m-n=X, spd=2", "01, valve, target", "01, valve, unknown domain",
    ]  # fmt: skip


def test_numbers() -> None:
    assert class_numbers(["x", "y", "x"], ["x", "y"]).tolist() == [0, 1, 0]
