"""Recordings of noise, whole also where clips are pieces; noise that is estimated: how much of it is the machine."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.audio_tables import RATE, audio_table, noise_clips

from asdlib.data.clip import Clip
from asdlib.data.clip_audio import write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.tables import ClipTable
from asdlib.separation.noise_pool import correlation, estimated_noise, noise_pool, recordings

TIME = np.arange(4000) / RATE


def hum(number: int, level: float = 3000) -> np.ndarray:
    """Return a steady machine: a tone and its overtones."""
    return sum(level / n * np.sin(2 * np.pi * 50 * n * TIME + number) for n in (1, 2, 3))


def recorded(folder: Path, share: np.ndarray | float) -> tuple:
    """Return a table of a machine that is heard for a share of the time, in hiss, and the hiss alone."""
    hiss = noise_clips(4, 100, 1, len(TIME))
    clips = [np.rint(hum(number) * share + noise).astype(np.int16) for number, noise in enumerate(hiss)]
    return audio_table(folder / "fan.parquet", {"train": clips}, length=len(TIME)), hiss


def test_the_quietest_moments_of_a_steady_machine_are_the_machine(tmp_path: Path) -> None:
    table, hiss = recorded(tmp_path, 1.0)
    heard = list(table.load("audio", "train")[1])
    assert correlation(estimated_noise(table), heard, RATE) > 0.95
    assert correlation(hiss, heard, RATE) < 0.5


def test_the_quietest_moments_of_a_machine_that_pauses_are_noise(tmp_path: Path) -> None:
    table, _ = recorded(tmp_path, (TIME % 2 < 1).astype(float))
    heard = list(table.load("audio", "train")[1])
    assert correlation(estimated_noise(table), heard, RATE) < 0.5


def test_the_spectra_that_are_correlated_are_mean_powers_of_bands_of_equal_width_in_mel() -> None:
    rng = np.random.default_rng(0)
    hiss = rng.integers(-100, 100, 20 * 1024).astype(np.int16)
    rumble = np.cumsum(rng.integers(-100, 100, 20 * 1024)).astype(np.int16)
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(1024, 1 / 16000) / 700)
    edges = np.linspace(0, mel[-1], 65)
    edges[0], edges[-1] = 1e-9, np.inf  # without the constant part, with the highest frequency

    def log_mel(sound: np.ndarray) -> list[float]:
        power = np.abs(np.fft.rfft(sound.reshape(20, 1024) * np.hanning(1024))) ** 2
        return [np.log(power[:, (low <= mel) & (mel < high)].mean()) for low, high in pairwise(edges)]

    expected = np.corrcoef(log_mel(hiss), log_mel(rumble))[0, 1]
    assert correlation([hiss], [rumble], 16000) == pytest.approx(expected, abs=1e-6)


def test_of_a_clip_of_few_frames_the_quietest_is_noise_and_of_none_nothing(tmp_path: Path) -> None:
    """A tenth of four frames of 64 samples is less than half a frame."""
    clips = [np.full(4 * 64, 9000, np.int16) for _ in range(3)]
    for number, samples in enumerate(clips):
        samples[64 * number : 64 * (number + 1)] = 100
    found = estimated_noise(audio_table(tmp_path / "fan.parquet", {"train": [*clips, np.full(63, 9000, np.int16)]}))
    heard = np.concatenate(found)
    assert len(heard) == (3 - 1) * 32
    assert heard.max() < 200


@pytest.mark.parametrize("level", [-32768, 32767])
def test_frames_of_full_scale_that_overlap_stay_at_full_scale(tmp_path: Path, level: int) -> None:
    """The sum of two is greater, and must not change its sign as a 16-bit number."""
    given = audio_table(tmp_path / "fan.parquet", {"train": [np.full(1000, level, np.int16)] * 2})
    assert (np.concatenate(estimated_noise(given)) == level).all()


def test_a_warning_says_how_much_the_estimate_resembles_the_machine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, _ = recorded(tmp_path, 1.0)
    with caplog.at_level(logging.WARNING, "asdlib.notice"):
        noise_pool(table, [])
    (said,) = caplog.messages
    assert "fan: there are no noise clips" in said
    heard = correlation(estimated_noise(table), table.load("audio", "train")[1], RATE)
    assert f"has a correlation of {heard:.3f} with that of whole clips" in said


def test_the_pieces_of_a_recording_are_one_recording_again(tmp_path: Path) -> None:
    """Else a part of it would be held out and another trained on; the last piece overlaps the one before."""
    sounds = noise_clips(2, 2000, 3, length=2 * RATE + RATE // 2)
    clips = []
    for number, samples in enumerate(sounds):
        name = f"noise_{number}.wav"
        soundfile.write(tmp_path / name, samples, RATE, subtype="PCM_16")
        clips.append(Clip(tmp_path / name, f"fan/supplemental/{name}", "00", "noise", None, None))
    wanted = ClipFormat(RATE, 1.0, False, False, False, longer="split")
    write_audio(clips, tmp_path / "fan.parquet", {"sample_rate": RATE, "longer": "split"}, wanted)
    found = recordings(ClipTable(tmp_path / "fan.parquet"), "noise")
    pieces = (slice(0, RATE), slice(RATE, 2 * RATE), slice(-RATE, None))
    expected = [np.concatenate([samples[piece] for piece in pieces]) for samples in sounds]
    assert [len(one) for one in found] == [3 * RATE] * 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
