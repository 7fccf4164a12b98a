"""What a model is told of the clips that it embeds, and on which device it computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips
from torch import Tensor, nn

from asdlib.data.tables import ClipTable, writing
from asdlib.examples.clips import Batch
from asdlib.models import MODELS
from asdlib.steps import embed as embed_step
from asdlib.steps.embed import Embedder, embed
from asdlib.training.frozen_model import FrozenModel

LISTENER = FrozenModel({"name": "listener", "kind": "listener"}, [], [])


class Listener(nn.Module):
    """A model of 4 numbers whose embedding is the number of the machine, and that keeps the batches it is given."""

    trained = False
    batches: list[Batch]

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.register_buffer("count", torch.zeros(3, dtype=torch.int64))
        self.machine = -1

    def for_machine(self, machine: str) -> None:
        self.machine = ("fan", "pump").index(machine)

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        self.batches.append(batch)
        return {"machine": torch.full((len(batch.features), 1), self.machine, dtype=torch.float64)}


class Rule(Listener):
    """The same without use of a GPU."""

    uses_gpu = False


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """Return the batches that the model is given."""
    found: list[Batch] = []
    monkeypatch.setattr(Listener, "batches", found, raising=False)
    monkeypatch.setitem(MODELS, "listener", Listener)
    monkeypatch.setitem(MODELS, "rule", Rule)
    return found


def features(folder: Path, machine: str) -> Path:
    """Write two training clips of the target domain and two test clips, with 3, 4, … frames."""
    clips = condition_clips({(machine, "1", "target"): 2})
    path = folder / f"{machine}.parquet"
    with writing(
        path, {}, {"dataset": "toy", "machine": machine, "view_kind": "raw"}, features=("float16", (24, BANDS))
    ) as out:
        for first, kind in ((3, "train"), (5, "test")):
            columns: dict[str, Any] = {"kind": pa.array([kind] * 2), "frames": pa.array([first, first + 1], pa.int32())}
            columns["source_file"] = pa.array([f"{kind}/{n}.wav" for n in range(2)])
            rows = clips.table
            for name, column in columns.items():
                rows = rows.set_column(rows.schema.get_field_index(name), name, column)
            out.write(rows, features=clips.features.numpy().astype(np.float16))
    return path


def test_a_model_is_told_the_machine_of_every_table(tmp_path: Path, batches: list[Batch]) -> None:
    """Also if it stays in memory from one to the next."""
    embedder = Embedder(None, "cpu", 0, 1, frozen=LISTENER)
    for number, machine in enumerate(("fan", "pump")):
        out = tmp_path / f"{machine}.embedded"
        embedder.write(features(tmp_path, machine), out)
        found = ClipTable(out).load("machine")[1]
        assert (found.dtype, found.ravel().tolist()) == (np.float32, [number] * 4)
        assert {origin.machine for batch in batches[-2:] for origin in batch.origins} == {machine}
        assert ClipTable(out).notes["parameters"] == 4


def test_a_model_knows_frames_and_training_recordings_but_no_domain(tmp_path: Path, batches: list[Batch]) -> None:
    embed(features(tmp_path, "fan"), None, tmp_path / "out.parquet", "cpu", 0, 1, frozen=LISTENER)
    assert [count for batch in batches for count in batch.frames.tolist()] == [3, 4, 5, 6]
    assert not any(batch.target.any() for batch in batches)
    assert {batch.features.dtype for batch in batches} == {torch.float32}
    recordings = [origin.recording for batch in batches for origin in batch.origins]
    assert recordings == ["toy: train/0.wav", "toy: train/1.wav", None, None]


def test_a_rule_stays_on_the_cpu_where_others_use_a_gpu(
    tmp_path: Path, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(embed_step, "choose_device", lambda *wanted: asked.append(wanted) or torch.device("cpu"))
    path = features(tmp_path, "fan")
    embed(path, None, tmp_path / "rule.parquet", "gpu", 1, 1, frozen=FrozenModel({"name": "r", "kind": "rule"}, [], []))
    assert asked == [], "the GPUs stay visible: the next model of this process may use one"
    embed(path, None, tmp_path / "listener.parquet", "gpu", 1, 1, frozen=LISTENER)
    assert asked == [("gpu", 1)]
    assert ClipTable(tmp_path / "rule.parquet").clips().equals(ClipTable(tmp_path / "listener.parquet").clips())
