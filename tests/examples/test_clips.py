"""Tests of loading the clips of one or more tables, and of batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asdlib.data import tables
from asdlib.data.tables import clip_rows, writing
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, load_clips


def write(path: Path, domains: list[str | None], kind: str = "train", dtype: str = "float32") -> np.ndarray:
    texts = {"section": "00", "split": "train", "label": "normal", "source_file": "a", "kind": kind, "attributes": {}}
    rows = [
        texts
        | {"clip": f"{path.stem}_{number}", "domain": domain, "samples": 9, "recorded_samples": 9, "frames": number}
        for number, domain in enumerate(domains)
    ]
    features = np.random.default_rng(len(domains)).standard_normal((len(domains), 4, 3)).astype(dtype)
    notes = {"dataset": "toy", "machine": path.stem, "view_kind": "raw"}
    with writing(path, {}, notes, features=(dtype, (4, 3))) as table:
        table.write(clip_rows(rows), features=features)
    return features


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_one_table(tmp_path, dtype):
    written = write(tmp_path / "a.parquet", ["source", "target", None], dtype=dtype)
    clips = load_clips([tmp_path / "a.parquet"], "train")
    np.testing.assert_array_equal(clips.features.numpy(), written)
    assert clips.features.dtype == getattr(torch, dtype)
    assert clips.frames.tolist() == [0, 1, 2]
    assert clips.target.tolist() == [False, True, False]


def test_several_tables_are_joined_in_order(tmp_path):
    written = [write(tmp_path / f"{name}.parquet", [name] * count) for name, count in (("target", 2), ("source", 3))]
    clips = load_clips([tmp_path / "target.parquet", tmp_path / "source.parquet"], "train")
    np.testing.assert_array_equal(clips.features.numpy(), np.concatenate(written))
    assert clips.table.column("clip").to_pylist() == ["target_0", "target_1", "source_0", "source_1", "source_2"]
    assert clips.target.tolist() == [True, True, False, False, False]
    assert clips.column("machine") == ["target", "target", "source", "source", "source"]
    assert set(clips.column("view_kind")) == {"raw"}


def test_a_map_of_a_file_holds_the_same_and_leaves_nothing_behind(tmp_path):
    written = [write(tmp_path / f"{name}.parquet", [name] * 3) for name in ("target", "source")]
    paths = [tmp_path / "target.parquet", tmp_path / "source.parquet"]
    (tmp_path / "scratch").mkdir()
    clips = load_clips(paths, "train", scratch=tmp_path / "scratch")
    np.testing.assert_array_equal(clips.features.numpy(), np.concatenate(written))
    assert clips.features[torch.tensor([4, 0])].shape == (2, 4, 3)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_full_disk_is_said_before_it_is_met(tmp_path, monkeypatch):
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    write(tmp_path / "a.parquet", ["source"])
    monkeypatch.setattr(tables.os, "posix_fallocate", full)
    with pytest.raises(AsdError, match=r"no room for .* GB .*No space left on device.*free disk space"):
        load_clips([tmp_path / "a.parquet"], "train", scratch=tmp_path)


def test_a_table_without_such_clips_is_refused(tmp_path):
    write(tmp_path / "a.parquet", ["source"], kind="test")
    with pytest.raises(AsdError, match=r"a\.parquet: contains no train clips"):
        load_clips([tmp_path / "a.parquet"], "train")


def test_a_batch_moves_as_a_whole():
    batch = Batch(torch.zeros(2, 3), torch.ones(2), torch.tensor([True, False])).to(torch.device("meta"))
    assert {batch.features.device.type, batch.frames.device.type, batch.target.device.type} == {"meta"}
    assert batch.labels is None
    labelled = Batch(torch.zeros(1), torch.ones(1), torch.tensor([True]), torch.tensor([3])).to(torch.device("meta"))
    assert labelled.labels.device.type == "meta"
