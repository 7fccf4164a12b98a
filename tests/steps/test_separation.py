"""The separation steps with a toy separator and a toy augmentation: contracts, streaming, row for row."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn
from toy import make_machine

from asdlib import checkpoints
from asdlib.augmentations import AUGMENTATIONS
from asdlib.blocks.clips import Batch
from asdlib.data.tables import ClipTable
from asdlib.separators import SEPARATORS
from asdlib.steps.augment import augment
from asdlib.steps.prepare import prepare
from asdlib.steps.separate import separate
from asdlib.steps.train_separator import train_separator

SETTINGS = {
    "name": "gain",
    "kind": "gain",
    "start": 1.0,
    "seed": 3,
    "training": {"epochs": 30, "batch_size": 4, "learning_rate": 0.05},
}


class Loud:
    """Mixtures that are twice the machine's sound."""

    def __init__(self, table: ClipTable):
        self.clips = torch.from_numpy(table.load("audio", "train")[1].astype(np.float32)) / 32768

    def __len__(self) -> int:
        return len(self.clips)

    def batch(self, indices: Tensor) -> Batch:
        clean = self.clips[indices]
        return Batch(torch.stack([2 * clean, clean], 1), torch.ones(len(clean)), torch.zeros(len(clean)))


class Gain(nn.Module):
    """Learns the one number that separates."""

    def __init__(self, start: float = 1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(start))

    def examples(self, table: ClipTable) -> Loud:
        return Loud(table)

    def separate(self, mixture: Tensor) -> Tensor:
        return self.gain * mixture

    def loss(self, batch: Batch) -> Tensor:
        mixture, clean = batch.features.unbind(1)
        return (self.separate(mixture) - clean).abs().mean() * 100


class Louder:
    """Adds every training clip once more, louder by a number that is drawn from the seed and the clip's name."""

    def __init__(self, gain: float, seed: int):
        self.gain, self.seed = gain, seed

    def augment(self, raw: ClipTable, separated: ClipTable) -> Iterator[tuple[pa.Table, np.ndarray]]:
        for clips, audio in separated.batches("audio", "train"):
            yield clips, (audio * self.gain).astype(np.int16)


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(SEPARATORS, "gain", Gain)
    monkeypatch.setitem(AUGMENTATIONS, "louder", Louder)
    make_machine(tmp_path / "toy" / "fan", seconds=0.5)
    settings = {"sample_rate": 16000, "seconds": 0.5, "resample": False, "downmix": False, "allow_silent": False}
    settings |= {"sections": ["00"], "recordings": None, "strict": True}
    prepare(tmp_path / "toy" / "fan", "toy", "fan", tmp_path / "raw.parquet", settings)
    return tmp_path / "raw.parquet"


def trained(audio: Path) -> Path:
    out = audio.with_name("model.safetensors")
    train_separator(audio, out, out.with_name("metrics.csv"), SETTINGS, "code", "cpu", 0, 1)
    return out


def test_a_separator_is_trained_and_logged(audio: Path) -> None:
    checkpoint = checkpoints.load(trained(audio))
    assert checkpoint.recipe == SETTINGS
    assert float(checkpoint.weights["gain"]) == pytest.approx(0.5, abs=0.1)
    with audio.with_name("metrics.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 30
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_separated_clips_are_those_of_the_audio_row_for_row(audio: Path) -> None:
    model = trained(audio)
    separate(audio, model, audio.with_name("separated.parquet"), "cpu", 0, 1)
    raw, separated = ClipTable(audio), ClipTable(audio.with_name("separated.parquet"))
    assert separated.clips().equals(raw.clips())
    gain = float(checkpoints.load(model).weights["gain"])
    before, after = raw.load("audio")[1], separated.load("audio")[1]
    assert after.dtype == np.int16
    assert np.abs(after - gain * before.astype(float)).max() <= 0.51  # rounded, never shifted
    assert separated.recipe["separator"] == SETTINGS
    assert separated.recipe["sample_rate"] == 16000


def test_augmented_clips_are_what_the_augmentation_makes(audio: Path) -> None:
    out = audio.with_name("augmented.parquet")
    augment(audio, [audio], out, {"name": "louder", "kind": "louder", "gain": 2.0, "separator": {}, "seed": 1})
    made, given = ClipTable(out).load("audio"), ClipTable(audio).load("audio", "train")
    assert made[0].equals(given[0])
    assert np.array_equal(made[1], (given[1] * 2.0).astype(np.int16))
