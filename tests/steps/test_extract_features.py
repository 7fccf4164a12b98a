"""Features are computed for the clips that models read, also for those of a table that shares the recordings' rows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio_tables import RATE, audio_table, noise_clips

from asdlib.data.tables import ClipTable, write_same_rows
from asdlib.errors import AsdError
from asdlib.examples.clips import COMMON
from asdlib.frontends.log_mel import LogMel
from asdlib.steps.extract_features import extract_features

LEVELS = {"name": "levels", "kind": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 8, "power": 1.0}


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    sounds = {"train": noise_clips(3, 500, 1), "test": noise_clips(2, 500, 2), "clean": noise_clips(4, 500, 3)}
    return audio_table(tmp_path / "raw" / "fan.parquet", sounds, recipe={"dataset": "toy"}).path


def test_training_and_test_clips_have_features_and_supplements_have_none(audio: Path) -> None:
    out = audio.with_name("features.parquet")
    extract_features(audio, out, {**LEVELS, "sample_rate": RATE})
    assert ClipTable(out).clips().column("kind").to_pylist() == ["train"] * 3 + ["test"] * 2


def test_features_are_of_samples_up_to_1_and_their_frames_are_counted_without_padding(tmp_path: Path) -> None:
    """A frame begins every 128 samples, from half a frame before the first sample on."""
    rng = np.random.default_rng(3)
    clips = [rng.integers(-9000, 9000, length).astype(np.int16) for length in (1000, 700, 127)]
    audio = audio_table(tmp_path / "fan.parquet", {"train": clips}, recipe={"dataset": "toy"}).path
    settings = {**LEVELS, "sample_rate": RATE}
    extract_features(audio, tmp_path / "features.parquet", settings)
    rows, features = ClipTable(tmp_path / "features.parquet").load("features")
    assert rows.column("frames").to_pylist() == [1000 // 128 + 1, 700 // 128 + 1, 127 // 128 + 1]
    frontend = LogMel(**{name: value for name, value in settings.items() if name not in ("name", "kind")})
    for clip, found in zip(clips, features, strict=True):
        padded = np.pad(clip / 32768, (0, 1000 - len(clip))).astype(np.float32)
        np.testing.assert_allclose(found, frontend(torch.from_numpy(padded[None]))[0], rtol=1e-5)


def test_a_frontend_that_repeats_short_clips_is_told_how_short_they_are(tmp_path: Path) -> None:
    clips = noise_clips(2, 5000, 4, length=500)
    audio = audio_table(tmp_path / "fan.parquet", {"train": clips}, recipe={"dataset": "toy"}).path
    settings = {"name": "spectrum", "kind": "magnitude_spectrum", "sample_rate": RATE}
    extract_features(audio, tmp_path / "features.parquet", settings)
    _, features = ClipTable(tmp_path / "features.parquet").load("features")
    for clip, found in zip(clips, features, strict=True):
        twice = np.abs(np.fft.rfft(np.tile(clip / 32768, 2)))[:500]
        np.testing.assert_allclose(found[0], twice, atol=1e-4)


def test_features_for_training_alone_leave_test_clips_out(audio: Path) -> None:
    whole, part = audio.with_name("features.parquet"), audio.with_name("train.parquet")
    for out, alone in ((whole, False), (part, True)):
        extract_features(audio, out, {**LEVELS, "sample_rate": RATE}, training_only=alone)
    assert ClipTable(part).clips().column("kind").to_pylist() == ["train"] * 3
    assert np.array_equal(ClipTable(part).load("features")[1], ClipTable(whole).load("features", "train")[1])


def test_recordings_that_pass_unchanged_have_the_features_of_the_recordings(audio: Path) -> None:
    raw = ClipTable(audio)
    view = audio.parents[1] / "separated" / "fan.parquet"
    write_same_rows(view, raw, {**raw.recipe, "separator": {}}, {"audio": raw.digest, "separated": False})
    for path in (audio, view):
        extract_features(path, path.with_name("features.parquet"), {**LEVELS, "sample_rate": RATE})
    recorded, passed = (ClipTable(path.with_name("features.parquet")) for path in (audio, view))
    assert np.array_equal(recorded.load("features")[1], passed.load("features")[1])
    assert (recorded.notes["view_kind"], passed.notes["view_kind"]) == ("raw", "separated")


def test_clips_that_were_made_from_separated_ones_are_augmented(tmp_path: Path) -> None:
    recipe = {"dataset": "toy", "separator": {}, "augmentation": {}}
    audio = audio_table(tmp_path / "fan.parquet", {"train": noise_clips(1, 500, 1)}, recipe=recipe).path
    extract_features(audio, tmp_path / "features.parquet", {**LEVELS, "sample_rate": RATE})
    notes = ClipTable(tmp_path / "features.parquet").notes
    assert {name: notes[name] for name in COMMON} == {"dataset": "toy", "machine": "fan", "view_kind": "augmented"}


def test_a_frontend_of_another_sampling_rate_is_refused(audio: Path) -> None:
    out = audio.with_name("features.parquet")
    with pytest.raises(AsdError, match=r"^config: prepare\.sample_rate: is 1000, levels expects 16000: change"):
        extract_features(audio, out, {**LEVELS, "sample_rate": 16000})
    assert not out.exists()


def test_what_is_quieter_than_the_last_bit_has_features_if_it_is_stored_as_float(audio: Path) -> None:
    """A residual of 0.3 is zero in int16; its power is that of the same sound, 1000 times as loud, less 60 dB."""
    quiet = np.random.default_rng(5).uniform(-0.3, 0.3, 1000).astype(np.float32)
    found = {}
    for name, dtype, gain in (("int16", "int16", 1), ("float32", "float32", 1), ("loud", "float32", 1000)):
        sounds = {"train": [(gain * quiet).astype(dtype)]}
        path = audio_table(audio.with_name(f"{name}.parquet"), sounds, recipe={"dataset": "toy"}, dtype=dtype).path
        extract_features(path, path.with_name("features.parquet"), {**LEVELS, "sample_rate": RATE, "power": 2.0})
        found[name] = ClipTable(path.with_name("features.parquet")).load("features")[1]
    np.testing.assert_allclose(found["loud"] - found["float32"], 60, atol=0.1)
    assert np.ptp(found["int16"]) == 0, "silence"
