"""The sounds of clips: the recording itself, with its amplification."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.audio_tables import audio_table, noise_clips

from asdlib.errors import AsdError
from asdlib.report import sounds
from asdlib.report.sounds import COLUMNS, ROWS, encode, read_clips, scaled, sounds_of, spectrogram

CLIP = "section_00_source_test_normal_0000.wav"
TIME = np.arange(32000) / 16000
HUM = (0.05 * np.sin(2 * np.pi * 440 * TIME) + 0.02 * np.sin(2 * np.pi * 90 * TIME)).astype(np.float32)


def decoded(address: str) -> tuple[str, np.ndarray, int]:
    kind, _, content = address.partition(";base64,")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    return kind, samples, rate


def test_a_sound_is_heard_as_it_was_recorded() -> None:
    kind, samples, rate = decoded(encode(HUM, 16000))
    assert (kind, rate, len(samples)) == ("data:audio/mpeg", 16000, len(HUM))
    assert np.corrcoef(samples, HUM)[0, 1] > 0.99
    assert encode(HUM, 16000) == encode(HUM, 16000)


def test_a_rate_that_mp3_does_not_know_is_flac() -> None:
    kind, samples, rate = decoded(encode(HUM, 10000))
    assert (kind, rate) == ("data:audio/flac", 10000)
    np.testing.assert_allclose(samples, HUM, atol=1e-4)


def test_the_separated_sound_is_amplified_as_the_recording_is() -> None:
    raw, separated = sounds_of({"raw": HUM * 32768, "separated/toy": HUM * 32768 / 4}, 10000)
    assert raw["gain"] == separated["gain"] == pytest.approx(20 * np.log10(0.9 / np.abs(HUM).max()))
    levels = [np.abs(decoded(sound["sound"])[1]).max() for sound in (raw, separated)]
    assert levels == pytest.approx([0.9, 0.225], abs=1e-3)
    assert (raw["seconds"], raw["kilohertz"]) == (3.2, 5)


def test_a_spectrogram_says_where_the_sound_is_strongest() -> None:
    (sound,) = sounds_of({"raw": np.rint(HUM * 32768).astype(np.int16)}, 16000)
    said = int(re.search(r"strongest near (\d+) Hz", sound["picture"]["alt"])[1])
    assert said == pytest.approx(440, abs=1 / 0.064)


def test_a_spectrogram_shows_70_db_below_the_loudest_point_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tone of 440 Hz, the same 35 dB softer, and silence; separated, all of it is a quarter as loud."""
    monkeypatch.setattr(sounds, "heat", lambda values, alt: values)
    part = 500 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    wave = np.concatenate([part, part * 10 ** (-35 / 20), np.zeros(16000)])
    raw, separated = (one["picture"] for one in sounds_of({"raw": wave, "separated/toy": wave / 4}, 16000))
    assert raw.shape == (ROWS, 3 * 16000 // 512 - 1)
    loud, soft, silent = (slice(first, first + 28) for first in (1, 33, 64))
    assert raw.max() == 1
    np.testing.assert_allclose(raw.max(axis=0)[loud], 1, atol=0.01)
    np.testing.assert_allclose(raw.max(axis=0)[soft], 0.5, atol=0.01)
    assert not raw[:, silent].any()
    assert (raw[:, loud].argmax(axis=0) == 440 * 128 // 8000).all()
    np.testing.assert_allclose(separated.max(axis=0)[loud], 1 - 20 * np.log10(4) / 70, atol=0.01)


def test_a_long_spectrogram_is_narrowed_without_losing_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "heat", lambda values, alt: values)
    wave = np.zeros(20000, np.float32)
    wave[15000] = 1
    shown = spectrogram(wave, 1000, 1.0, "raw")
    assert shown.shape == (33, COLUMNS)
    assert set(np.flatnonzero(shown.any(axis=0))) <= {3 * COLUMNS // 4 - 1, 3 * COLUMNS // 4}
    assert shown.max() > 0.9


def test_silence_is_no_error() -> None:
    (sound,) = sounds_of({"raw": np.zeros(100, np.int16)}, 16000)
    assert sound["gain"] == 0


def test_clips_are_read_without_padding_and_unchanged_views_are_left_out(tmp_path: Path) -> None:
    recorded = noise_clips(2, 1000, seed=0, length=700)
    quieter = [recorded[0] // 2, recorded[1]]  # the second clip is not changed
    audio_table(tmp_path / "raw.parquet", {"test": recorded})
    audio_table(tmp_path / "separated.parquet", {"test": quieter})
    paths = {"raw": tmp_path / "raw.parquet", "separated/toy": tmp_path / "separated.parquet"}
    names = [CLIP.replace("test_normal_0000", f"test_normal_000{number}") for number in range(2)]
    found = read_clips(paths, set(names))
    assert [sorted(found[name]) for name in names] == [["raw", "separated/toy"], ["raw"]]
    kept = found[names[0]]["raw"]
    np.testing.assert_array_equal(kept, recorded[0])
    assert (kept.dtype, kept.base) == (np.int16, None)  # not a view of a row group, which would stay in memory
    np.testing.assert_array_equal(scaled(kept), recorded[0].astype(np.float32) / 32768)


def test_a_clip_that_is_not_there_is_named(tmp_path: Path) -> None:
    audio_table(tmp_path / "raw.parquet", {"test": noise_clips(1, 1000, seed=0)})
    with pytest.raises(AsdError, match=r"raw\.parquet: has no test clip gone\.wav"):
        read_clips({"raw": tmp_path / "raw.parquet"}, {"gone.wav"})
