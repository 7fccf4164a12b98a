"""Steps that go through a machine's clips keep a few of them in memory, however many there are."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.audio_tables import RATE, audio_table, noise_clips
from helpers.toy_recordings import PREPARE, write_wav
from torch import Tensor

from asdlib.data.tables import ROWS, ClipTable, writing
from asdlib.separation.separator import AFTER, BEFORE, Separator
from asdlib.separators import SEPARATORS
from asdlib.steps.augment import augment
from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.steps.separate import separate
from asdlib.training.frozen_model import FrozenModel
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.typed_settings import typed

LENGTH = 8000  # samples of a clip
GROUP = 2 * LENGTH * ROWS  # bytes of a row group of audio
FEW, MANY = 2, 10  # row groups
MEL = {"name": "mel", "kind": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 64, "power": 1.0}  # as large
MODEL = {"name": "parts", "kind": "feature_parts", "names": ["all"], "sizes": [LENGTH // 2], "frontend": MEL}
FAR = {"name": "far", "kind": "far_subtraction", "n_fft": 256, "hop": 128}


class Whole(Separator):
    """A separator that leaves everything as it is."""

    def separate(self, mixture: Tensor) -> Tensor:
        return mixture


def _features(table: Path, out: Path) -> None:
    extract_features(table, out, {**MEL, "sample_rate": RATE})


def _separated(table: Path, out: Path) -> None:
    settings = {"name": "whole", "kind": "whole", "seed": 1}
    weights = out.with_name("model.safetensors")
    checkpoints.save(weights, Checkpoint(settings, {}, {BEFORE: torch.zeros(1), AFTER: torch.zeros(1)}))
    separate(table, weights, out, "cpu", 0, 1)


def _without_far(table: Path, out: Path) -> None:
    separate(table, None, out, "cpu", 0, 1, settings=FAR, far=table)


def _added(table: Path, out: Path) -> None:
    settings = {"name": "remix", "kind": "remix", "snr": [0.0, 0.0], "per_clip": 1, "separator": {}, "seed": 1}
    pool = audio_table(table.with_name("pool.parquet"), {"noise": noise_clips(2, 500, 9, LENGTH)}, length=LENGTH)
    augment(table, [table], [pool.path], out, settings)


STEPS = {"extract_features": _features, "separate": _separated, "far": _without_far, "augment": _added}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_memory_does_not_grow_with_the_clips_of_a_table(step, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(SEPARATORS, "whole", Whole)
    step(_table(tmp_path / "imports.parquet", 1), tmp_path / "out.parquet")  # which takes memory once
    few, many = (_table(tmp_path / f"{number}.parquet", number) for number in (FEW, MANY))
    _check_flat(*(lambda table=table: step(table, tmp_path / "out.parquet") for table in (few, many)))
    assert len(ClipTable(tmp_path / "out.parquet").clips()) == MANY * ROWS


def test_memory_does_not_grow_with_the_clips_that_are_embedded(tmp_path: Path) -> None:
    def step(table: Path) -> None:
        embed(table, None, tmp_path / "out.parquet", "cpu", 0, 1, frozen=FrozenModel(MODEL, [], []))

    first, few, many = (_vectors(tmp_path / f"{number}.parquet", number) for number in (1, FEW, MANY))
    step(first)
    _check_flat(lambda: step(few), lambda: step(many))


def test_memory_does_not_grow_with_the_recordings_that_are_prepared(tmp_path: Path) -> None:
    settings = typed(PrepareSettings, {**PREPARE, "seconds": LENGTH / 16000})
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, LENGTH)
    for number in (1, FEW, MANY):
        for clip in range(number * ROWS):
            kind = "test" if clip < 2 else "train"
            name = f"section_00_source_{kind}_normal_{clip:04d}.wav"
            write_wav(tmp_path / str(number) / kind / name, noise * (1 + clip) / 1000)

    def step(number: int) -> None:
        prepare(tmp_path / str(number), "toy", "fan", tmp_path / "out.parquet", settings)

    step(1)
    _check_flat(lambda: step(FEW), lambda: step(MANY))


def _table(path: Path, groups: int) -> Path:
    clips = {"train": noise_clips(groups * ROWS, 500, 1, LENGTH)}
    return audio_table(path, clips, length=LENGTH, recipe={"dataset": "toy"}).path


def _vectors(path: Path, groups: int) -> Path:
    """Write features of one vector per clip, which takes as many bytes as its audio."""
    out, notes = path.with_stem(f"features_{groups}"), {"dataset": "toy", "machine": "fan", "view_kind": "raw"}
    with writing(out, MEL, notes, features=("float32", (LENGTH // 2,))) as table:
        for clips, audio in ClipTable(_table(path, groups)).batches("audio"):
            place = clips.schema.get_field_index("frames")
            whole = clips.set_column(place, "frames", pa.array([1] * len(clips), pa.int32()))
            table.write(whole, features=audio[:, ::2].astype(np.float32))
    return out


def _check_flat(few: Callable[[], None], many: Callable[[], None]) -> None:
    """Check that little of what the second work has more than the first stays in memory; its metadata may grow.

    They take about 2 kB per clip, one of the eight further row groups at this length of clips.
    """
    before, after = _peak(few), _peak(many)
    assert after - before < 2 * GROUP, f"{(after - before) / GROUP:.1f} of {MANY - FEW} more row groups stay in memory"


def _peak(work: Callable[[], None]) -> int:
    """Return the most bytes that NumPy and Python together have at a time, and Arrow, in a call."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)
