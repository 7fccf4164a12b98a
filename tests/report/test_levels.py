"""The level of clips over time and frequency, in decibels."""

from pathlib import Path

import numpy as np
import pytest
from helpers.audio_tables import audio_table

from asdlib.report.bands import PARTS
from asdlib.report.cells import COLUMNS, ROWS
from asdlib.report.levels import (
    LARGEST,
    LEAST,
    Levels,
    difference,
    in_units_of,
    levels_of,
    mel_edges,
    training_levels,
)
from asdlib.report.sounds import window_of

RATE = 16000


def tone(hertz: float, seconds: float = 4.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def test_a_tone_is_in_its_row_and_part_and_twice_the_amplitude_is_six_decibels() -> None:
    levels, halved = (levels_of(wave, RATE, len(wave)) for wave in (tone(2125), tone(2125) / 2))
    assert levels.cells.shape == (ROWS, COLUMNS)
    assert levels.parts.shape == (PARTS,)
    assert (levels.cells.argmax(axis=0) == 8).all()  # 2000 to 2250 Hz
    # In O'Shaughnessy's mel, 2125 Hz are 1574 of 2840.
    assert levels.parts.argmax() == int(1574 / 2840 * PARTS)
    np.testing.assert_allclose(levels.cells[8] - halved.cells[8], 20 * np.log10(2), atol=1e-3)
    # The amplitude 0.5 of full scale is in three of the row's 16 frequencies, by Hann's window: 1/4 + 1 + 1/4.
    np.testing.assert_allclose(levels.cells[8], 10 * np.log10(0.25**2 * 1.5 / 16), atol=0.01)
    assert (levels.seconds, levels.rate) == (4.0, RATE)


def test_parts_reach_from_nothing_to_half_the_sampling_rate() -> None:
    edges = mel_edges(RATE)
    np.testing.assert_allclose([edges[0], edges[-1]], [0, RATE / 2])
    mel = 2595 * np.log10(1 + edges / 700)
    np.testing.assert_allclose(np.diff(mel), mel[-1] / PARTS)


def test_noise_has_the_same_level_in_every_row_and_part() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=10 * RATE).astype(np.float32)
    levels = levels_of(noise, RATE, len(noise))
    assert np.ptp(levels.cells.mean(axis=1)) < 1
    assert np.ptp(levels.parts) < 1.5  # the lowest parts have few frequencies, so the mean of the logarithm is lower


@pytest.mark.parametrize("rate", [500, RATE])
def test_a_click_has_the_same_level_in_every_row_and_part(rate: int) -> None:
    """At the lower rate, many bands hold one frequency or none."""
    click = np.zeros(window_of(rate), np.float32)
    click[len(click) // 2] = 1
    levels = levels_of(click, rate, len(click))
    np.testing.assert_allclose(levels.cells, levels.cells[0, 0])
    np.testing.assert_allclose(levels.parts, levels.cells[0, 0])


@pytest.mark.parametrize("rate", [1000, 8000, 16000, 44100, 96000])
def test_levels_are_finite_at_every_sampling_rate_and_also_of_silence(rate: int) -> None:
    for wave in (np.zeros(rate, np.float32), np.random.default_rng(0).normal(size=rate).astype(np.float32)):
        levels = levels_of(wave, rate, rate)
        assert np.isfinite(levels.cells).all()
        assert np.isfinite(levels.parts).all()


def test_a_clip_that_is_shorter_than_a_window_has_none() -> None:
    assert levels_of(np.ones(1023, np.float32), RATE, RATE) is None
    assert levels_of(np.ones(1024, np.float32), RATE, 1024).cells.shape == (ROWS, 1)
    assert levels_of(np.ones(4000, np.float32), RATE, 60 * RATE).cells.shape == (ROWS, 1)


@pytest.mark.parametrize(("seconds", "among"), [(1, 10), (10, 1), (2, 60)])
def test_noise_among_noise_of_another_length_is_not_strange(seconds: int, among: int) -> None:
    """The cells of a short clip are means of as many frames as those that make the unit."""
    rng, length = np.random.default_rng(0), RATE * max(seconds, among)

    def of_noise(seconds: int) -> Levels:
        return levels_of(rng.normal(scale=0.01, size=RATE * seconds).astype(np.float32), RATE, length)

    trained = [of_noise(among) for _ in range(8)]
    usual = [difference(one, trained[:number] + trained[number + 1 :]) for number, one in enumerate(trained)]
    tested = [in_units_of(difference(of_noise(seconds), trained), usual).cells for _ in range(10)]
    assert tested[0].shape == (ROWS, COLUMNS * RATE * seconds // length)
    assert (np.abs(tested) > 3).mean() < 0.02


def test_training_clips_are_read_without_padding_and_others_are_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = [rng.integers(-1000, 1000, 800).astype(np.int16) for _ in range(3)]
    short = np.ones(10, np.int16)
    table = audio_table(tmp_path / "fan.parquet", {"train": [*clips, short], "test": clips})
    files = table.clips("train").column("source_file").to_pylist()
    found = training_levels(table.path, {files[1], files[3], "elsewhere.wav"})
    assert list(found) == [files[1]]
    own = levels_of(clips[1].astype(np.float32) / 32768, 1000, 1000)
    np.testing.assert_array_equal(found[files[1]].cells, own.cells)
    assert found[files[1]].seconds == 0.8


def levels(cells: list[list[float]], parts: list[float]) -> Levels:
    return Levels(np.array(cells, dtype=float), np.array(parts, dtype=float), 1.0, RATE)


def test_a_difference_is_from_the_mean_of_others_over_time() -> None:
    others = [levels([[0, 2], [4, 4]], [0, 4]), levels([[3, 3, 3], [6, 6, 6]], [2, 4])]  # means: 2, 5; and 1, 4
    apart = difference(levels([[2, 5], [5, 4]], [3, 4]), others)
    np.testing.assert_allclose(apart.cells, [[0, 3], [0, -1]])
    np.testing.assert_allclose(apart.parts, [2, 0])


def test_the_unit_is_the_root_mean_square_of_usual_differences() -> None:
    usual = [levels([[3, -3], [0, 0]], [2, 0]), levels([[3, 3, -3], [0, 0, 0]], [-4, 0])]
    scaled = in_units_of(levels([[6, -3], [1, 0]], [-3, 1]), usual)
    np.testing.assert_allclose(scaled.cells, [[2, -1], [1 / LEAST, 0]])
    np.testing.assert_allclose(scaled.parts, [-3 / np.sqrt(10), 1 / LEAST])


def test_a_difference_from_silence_is_limited() -> None:
    rng = np.random.default_rng(0)
    noise = [levels_of(rng.normal(scale=0.1, size=RATE).astype(np.float32), RATE, RATE) for _ in range(3)]
    usual = [difference(noise[0], noise[1:]), difference(noise[1], noise[2:])]
    scaled = in_units_of(difference(levels_of(np.zeros(RATE, np.float32), RATE, RATE), noise), usual)
    assert scaled.parts.min() == -LARGEST
    assert max(scaled.parts.max(), scaled.cells.max()) < -20
