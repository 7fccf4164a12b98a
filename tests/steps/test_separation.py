"""The separation steps with a toy separator and a toy augmentation."""

import csv
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.audio_tables import audio_table, noise_clips
from helpers.toy_recordings import PREPARE, make_machine, sound, write_wav
from torch import Tensor, nn

from asdlib.augmentations import AUGMENTATIONS
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.separation.mixtures import Mixtures
from asdlib.separation.noise_pool import recordings
from asdlib.separation.separator import AFTER, BEFORE, Separator
from asdlib.separators import SEPARATORS
from asdlib.steps.augment import augment
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.steps.prepare_far import prepare_far
from asdlib.steps.prepare_noise import NoiseSettings, prepare_noise
from asdlib.steps.separate import separate
from asdlib.steps.train_separator import train_separator
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.typed_settings import typed

FORMAT = {**PREPARE, "seconds": 0.5}
NOISE = NoiseSettings(16000, 0.5, resample=False, downmix=False, allow_silent=False, recordings="")
SETTINGS = {
    "name": "gain",
    "kind": "gain",
    "start": 1.0,
    "seed": 3,
    "pairs": {"segment": 0.2, "per_epoch": 8, "snr": [0.0, 0.0], "gain": 0.0, "validation_mixtures": 4},
    "training": {"epochs": 30, "batch_size": 4, "learning_rate": 0.05},
}


class Gain(Separator):
    """A separator with a single parameter, a gain."""

    def __init__(self, start: float = 1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(start))

    def separate(self, mixture: Tensor) -> Tensor:
        return self.gain * mixture

    def loss(self, mixtures: Mixtures) -> Tensor:
        return (self.separate(mixtures.mixture) - mixtures.sources[:, 0]).square().mean() * 100

    def metrics(self, mixtures: Mixtures) -> dict[str, Tensor]:
        return {"gain": self.gain.detach()}


class Louder:
    """An augmentation that repeats every training clip with a given gain."""

    def __init__(self, gain: float, seed: int):
        self.gain, self.seed = gain, seed

    def augment(
        self, raw: ClipTable, separated: ClipTable, noise: list[ClipTable]
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        for clips, audio in separated.batches("audio", "train"):
            yield clips, (audio * self.gain).astype(np.int16)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Prepare a machine with clean clips, one with noise, one with neither, and a noise pool."""
    monkeypatch.setitem(SEPARATORS, "gain", Gain)
    monkeypatch.setitem(AUGMENTATIONS, "louder", Louder)
    for machine, supplement in (("fan", "machine"), ("pump", "noise"), ("valve", None)):
        folder = make_machine(tmp_path / "toy" / machine, seconds=0.5, supplement=supplement)
        prepare(folder, "toy", machine, tmp_path / f"{machine}.parquet", typed(PrepareSettings, FORMAT))
    for number, seconds in enumerate((1.2, 0.5)):
        write_wav(tmp_path / "pool" / f"rain_{number}.wav", sound(np.random.default_rng(number), seconds, level=0.0))
    prepare_noise(tmp_path / "pool", "toy", tmp_path / "pool.parquet", NOISE)
    return {path.stem: path for path in tmp_path.glob("*.parquet")}


def trained(tables: dict[str, Path], machine: str = "fan", noise: tuple[str, ...] = ("pump",), **pairs) -> Path:
    out = tables[machine].with_name("model.safetensors")
    settings = {**SETTINGS, "pairs": SETTINGS["pairs"] | pairs}
    others = [tables[name] for name in noise]
    train_separator(tables[machine], others, out, out.with_name("metrics.csv"), settings, "", "cpu", 0, 1, None)
    return out


def test_a_separator_is_trained_and_logged(tables: dict[str, Path]) -> None:
    checkpoint = checkpoints.load(trained(tables))
    assert checkpoint.recipe == SETTINGS
    assert float(checkpoint.weights["gain"]) == pytest.approx(0.5, abs=0.1)  # the machine is as loud as the noise
    with tables["fan"].with_name("metrics.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 30
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["gain"]) == pytest.approx(float(checkpoint.weights["gain"]))


@pytest.mark.parametrize(("machine", "pairs"), [("pump", {}), ("valve", {}), ("valve", {"noise_only": "identity"})])
def test_without_a_clean_reference_clips_pass_unchanged(
    tables: dict[str, Path], caplog: pytest.LogCaptureFixture, machine: str, pairs: dict
) -> None:
    model = trained(tables, machine, ("fan", "pool"), **pairs)
    assert checkpoints.load(model).weights == {}
    assert model.with_name("metrics.csv").read_text().count("\n") == 1
    with caplog.at_level(logging.WARNING):
        separate(tables[machine], model, model.with_name("out.parquet"), "cpu", 0, 1)
    assert "pass unchanged" in caplog.text
    separated, raw = ClipTable(model.with_name("out.parquet")), ClipTable(tables[machine])
    assert np.array_equal(separated.load("audio")[1], raw.load("audio")[1])
    assert (separated.tensors, separated.clips().equals(raw.clips())) == (raw.tensors, True)
    assert separated.notes["separated"] is False
    assert separated.recipe["separator"]["kind"] == SETTINGS["kind"]
    assert separated.path.stat().st_size < raw.path.stat().st_size / 4  # the recordings are not copied


def test_a_noisy_target_is_an_option(tables: dict[str, Path]) -> None:
    assert "gain" in checkpoints.load(trained(tables, "pump", (), noise_only="noisy_target")).weights
    assert "gain" in checkpoints.load(trained(tables, "valve", ("pool",), noise_only="noisy_target")).weights


def test_separated_clips_are_those_of_the_audio_row_for_row(tables: dict[str, Path]) -> None:
    audio, model = tables["fan"], trained(tables)
    separate(audio, model, audio.with_name("separated.parquet"), "cpu", 0, 1)
    raw, separated = ClipTable(audio), ClipTable(audio.with_name("separated.parquet"))
    assert separated.clips().equals(raw.clips())
    gain = float(checkpoints.load(model).weights["gain"])
    before, after = raw.load("audio")[1], separated.load("audio")[1]
    assert after.dtype == np.int16
    assert np.abs(after - gain * before.astype(float)).max() <= 0.51  # rounded, not shifted
    assert separated.recipe["separator"] == SETTINGS
    assert separated.recipe["sample_rate"] == 16000
    assert separated.notes["separated"] is True


def test_a_separator_worse_than_its_mixtures_leaves_the_clips_as_they_are(
    tables: dict[str, Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own held-out mixtures decide; the training warns, and so does the separation."""
    monkeypatch.setattr(Gain, "separate", lambda self, mixture: self.gain * mixture.roll(40, -1))  # out of step
    audio = tables["fan"]
    with caplog.at_level(logging.WARNING):
        model = trained(tables)
    calibration = checkpoints.load(model).calibration
    assert calibration[BEFORE].shape == calibration[AFTER].shape == (4,)
    before, after = (float(calibration[name].mean()) for name in (BEFORE, AFTER))
    assert before == pytest.approx(0, abs=0.5)  # the mixtures' SNR
    said = f"the SI-SDR of 4 held-out mixtures falls from {before:.1f} to {after:.1f} dB by separation"
    assert f"{said}: its clips will pass unchanged: train longer" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        separate(audio, model, audio.with_name("out.parquet"), "cpu", 0, 1)
    assert f"the clips pass unchanged: {said}" in caplog.text
    unchanged = ClipTable(audio.with_name("out.parquet"))
    assert np.array_equal(unchanged.load("audio")[1], ClipTable(audio).load("audio")[1])
    assert unchanged.notes["separated"] is False


def test_training_and_separating_state_their_precision(tables: dict[str, Path], monkeypatch) -> None:
    """PyTorch allows TF32 in convolutions unless it is told otherwise."""
    seen = []
    whole = Gain.separate
    monkeypatch.setattr(Gain, "separate", lambda *given: seen.append(torch.backends.cudnn.allow_tf32) or whole(*given))
    model = trained(tables)
    learned = len(seen)
    separate(tables["fan"], model, tables["fan"].with_name("separated.parquet"), "cpu", 0, 1)
    assert 0 < learned < len(seen)
    assert not any(seen)
    assert torch.backends.cudnn.allow_tf32


def test_padding_is_neither_heard_nor_changed(tables: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_machine(tables["fan"].parent / "short" / "fan", seconds=0.3)
    audio = tables["fan"].with_name("short.parquet")
    prepare(folder, "toy", "fan", audio, typed(PrepareSettings, FORMAT))
    model, heard = trained(tables), []
    monkeypatch.setattr(Gain, "separate", lambda self, mixture: heard.append(mixture.shape) or mixture + 0.1)
    separate(audio, model, audio.with_name("out.parquet"), "cpu", 0, 1)
    separated = ClipTable(audio.with_name("out.parquet")).load("audio")[1]
    assert set(heard) == {(1, 4800)}
    assert separated[:, :4800].any(axis=1).all()
    assert not separated[:, 4800:].any()


def test_what_is_louder_than_16_bits_hold_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would wrap around, from the highest value to the lowest."""
    monkeypatch.setitem(SEPARATORS, "gain", Gain)
    clip = np.array([0, 100, 327, 328, 400, -327, -328, -400], np.int16)
    audio, model = audio_table(tmp_path / "fan.parquet", {"test": [clip]}).path, tmp_path / "model.safetensors"
    passed = {BEFORE: torch.zeros(1), AFTER: torch.zeros(1)}
    checkpoints.save(model, Checkpoint(SETTINGS, {"gain": torch.tensor(100.0)}, passed))
    separate(audio, model, tmp_path / "out.parquet", "cpu", 0, 1)
    separated = ClipTable(tmp_path / "out.parquet").load("audio")[1][0, : len(clip)]
    assert separated.tolist() == [0, 10000, 32700, 32767, 32767, -32700, -32768, -32768]


def test_the_pieces_of_a_long_recording_are_one_recording(tables: dict[str, Path]) -> None:
    """So held-out mixtures share no recording with the training mixtures."""
    whole = recordings(ClipTable(tables["pool"]), "noise")
    assert [len(samples) for samples in whole] == [19200, 8000]
    pieces = ClipTable(tables["pool"]).load("audio", "noise")[1]
    assert np.array_equal(whole[0], pieces[:3].ravel()[:19200])


def test_augmented_clips_are_what_the_augmentation_makes(tables: dict[str, Path]) -> None:
    audio = tables["fan"]
    out = audio.with_name("augmented.parquet")
    settings = {"name": "louder", "kind": "louder", "gain": 2.0, "separator": {}, "seed": 1}
    augment(audio, [audio], [tables["pool"]], out, settings)
    made, given = ClipTable(out).load("audio"), ClipTable(audio).load("audio", "train")
    assert made[0].equals(given[0])
    assert np.array_equal(made[1], (given[1] * 2.0).astype(np.int16))
    assert len(ClipTable(out).notes["audio"]) == 3


def test_a_recipe_without_a_separator_augments_the_recordings(tmp_path: Path) -> None:
    raw = audio_table(tmp_path / "fan.parquet", {"train": noise_clips(2, 500, 1), "noise": noise_clips(1, 500, 2)})
    settings = {"name": "mixed", "kind": "remix", "seed": 1, "snr": [0.0, 0.0]}
    augment(raw.path, [], [], tmp_path / "out.parquet", settings)
    made = ClipTable(tmp_path / "out.parquet")
    assert (len(made.clips()), made.notes["audio"]) == (2, [raw.digest])


def test_long_noise_becomes_several_pieces(tables: dict[str, Path]) -> None:
    clips, audio = ClipTable(tables["pool"]).load("audio", "noise")
    assert clips.column("clip").to_pylist() == ["rain_0_000", "rain_0_001", "rain_0_002", "rain_1_000"]
    assert clips.column("samples").to_pylist() == [8000, 8000, 3200, 8000]
    assert audio[2, 3200:].any() == False  # noqa: E712 (a NumPy truth value)
    assert audio[:2].any(axis=1).all()


def test_a_pool_has_recordings_in_every_case_and_says_what_is_not_used(tmp_path: Path, caplog) -> None:
    odd = os.fsdecode(b"\xff.WAV")
    recorded = write_wav(tmp_path / "pool" / "a.wav", np.full(800, 0.1))
    for name in ("b.WAV", "c.Wav", odd):
        shutil.copy(recorded, recorded.with_name(name))
    (tmp_path / "pool" / "notes.txt").touch()
    (tmp_path / "pool" / "more").mkdir()
    with caplog.at_level(logging.INFO):
        prepare_noise(tmp_path / "pool", "toy", tmp_path / "pool.parquet", replace(NOISE, seconds=0.03))
    names = ClipTable(tmp_path / "pool.parquet").clips().column("source_file").to_pylist()
    assert names == [name for name in ("a.wav", "b.WAV", "c.Wav", "\\udcff.WAV") for _ in range(2)]
    assert "toy: 4 recordings of noise in 8 pieces of up to 0.03 s" in caplog.messages
    assert f"{tmp_path}/pool: 2 entries are not used: 1 × folder, 1 × .txt" in caplog.messages


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quiet.wav", r"quiet\.wav: is digital silence"),
        ("quiet.txt", r"pool: contains no recordings of noise: correct noise_pool"),
    ],
)
def test_a_pool_without_noise_is_refused(tmp_path: Path, name: str, said: str) -> None:
    write_wav(tmp_path / "pool" / "quiet.wav", np.zeros(800)).rename(tmp_path / "pool" / name)
    with pytest.raises(AsdError, match=said):
        prepare_noise(tmp_path / "pool", "toy", tmp_path / "pool.parquet", NOISE)
    assert not (tmp_path / "pool.parquet").exists()


def test_separated_clips_of_floats_are_added_as_they_are(tmp_path: Path) -> None:
    """They may be quieter than the last bit of the recordings' int16."""
    sound = {"train": [np.linspace(-0.4, 0.4, 1000, dtype=np.float32)] * 2}
    raw = audio_table(tmp_path / "raw.parquet", {"train": noise_clips(2, 500, 1), "noise": noise_clips(1, 500, 2)}).path
    separated = audio_table(tmp_path / "fan.parquet", sound, dtype="float32").path
    settings = {"name": "added", "kind": "separated", "seed": 1}
    augment(raw, [separated], [], tmp_path / "out.parquet", settings)
    _, audio = ClipTable(tmp_path / "out.parquet").load("audio")
    assert audio.dtype == np.float32
    assert np.array_equal(audio, sound["train"])
    remix = {"name": "mixed", "kind": "remix", "seed": 1, "snr": [0.0, 0.0]}
    augment(raw, [separated], [], tmp_path / "remix.parquet", remix)
    assert ClipTable(tmp_path / "remix.parquet").load("audio")[1].dtype == np.int16


FAR = {"name": "far", "kind": "far_subtraction", "n_fft": 256, "hop": 128}


@pytest.fixture
def microphones(tmp_path: Path) -> tuple[Path, Path]:
    """Prepare a machine whose near microphone hears it 40 dB below a noise that both hear."""
    folder, rng = make_machine(tmp_path / "toy" / "fan", seconds=0.3, supplement=None), np.random.default_rng(4)
    for path in folder.glob("*/*.wav"):
        background, hum = 0.2 * rng.uniform(-1, 1, 4800), 0.002 * np.sin(np.arange(4800))
        write_wav(path, np.stack([background + hum, 0.5 * background], axis=1))
    near, far = tmp_path / "near.parquet", tmp_path / "far.parquet"
    prepare(folder, "toy", "fan", near, typed(PrepareSettings, FORMAT | {"channel": "near"}))
    prepare_far(folder, "toy", "fan", far, typed(PrepareSettings, FORMAT | {"channel": "far"}))
    return near, far


def test_a_noise_that_both_microphones_hear_is_removed(microphones: tuple[Path, Path], tmp_path: Path) -> None:
    near, far = microphones
    separate(near, None, tmp_path / "out.parquet", "cpu", 0, 1, settings=FAR, far=far)
    recorded, separated = ClipTable(near), ClipTable(tmp_path / "out.parquet")
    assert separated.clips().equals(recorded.clips())
    assert (separated.recipe["separator"], separated.notes["separated"]) == (FAR, True)
    audio = separated.load("audio")[1]
    assert audio.dtype == np.float32
    assert not audio[:, 4800:].any(), "padding stays zero"
    machine = 0.002 * 32768 * np.sin(np.arange(4800))
    before, after = (np.square(one[:, :4800] - machine).mean() for one in (recorded.load("audio")[1], audio))
    assert 10 * np.log10(before / after) > 30
    assert np.square(audio[:, :4800] - machine).mean() < 0.1 * np.square(machine).mean()


def test_the_far_recordings_of_other_clips_are_refused(microphones: tuple[Path, Path], tmp_path: Path) -> None:
    near, _ = microphones
    other = audio_table(tmp_path / "other.parquet", {"train": noise_clips(2, 500, 1)}).path
    with pytest.raises(AsdError, match=r"other\.parquet: has other clips than .*near\.parquet: delete both and run ag"):
        separate(near, None, tmp_path / "out.parquet", "cpu", 0, 1, settings=FAR, far=other)
    assert not (tmp_path / "out.parquet").exists()
