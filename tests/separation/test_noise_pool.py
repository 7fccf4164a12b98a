"""Tests of the noise estimated from recordings: how much of it is the machine itself."""

import logging
from pathlib import Path

import numpy as np
import pytest
from helpers.audio_tables import RATE, audio_table, noise_clips

from asdlib.separation.noise_pool import correlation, estimated_noise, noise_pool

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
