"""Tests of crops and levels: loud crops are found exactly, and mixtures have the SNR drawn."""

import numpy as np
import pytest

from asdlib.separation.mixing import crop, draw_crop, loud_starts, noise_gain, rms


def recording(length: int = 100, loud: slice = slice(40, 50)) -> np.ndarray:
    samples = np.zeros(length, np.int16)
    samples[loud] = 16384
    return samples


@pytest.mark.parametrize("length", [1, 7, 100, 250])
def test_loud_starts_are_those_of_crops_above_the_minimum(length: int) -> None:
    given = np.random.default_rng(0).integers(-3000, 3000, 100).astype(np.int16)
    given[20:60] //= 100
    minimum = 0.05
    expected = [start for start in range(100) if rms(crop(given, length, start)) > minimum]
    assert loud_starts(given, length, minimum).tolist() == expected


@pytest.mark.parametrize(("first", "starts"), [((1, 1, 1), []), ((2, 0, 0), list(range(10)))])
def test_a_crop_at_the_minimum_is_not_loud_and_one_just_above_it_is(first: tuple[int, ...], starts: list[int]) -> None:
    """The sum of ten squares is 10 or 11 quantisation steps, and nothing is rounded."""
    given = np.array([*first, *[1] * 7], np.int16)
    assert loud_starts(given, 10, 1 / 32768).tolist() == starts


def test_no_crop_at_the_minimum_is_drawn() -> None:
    rng = np.random.default_rng(0)
    given = np.array([2, *[1] * 20], np.int16)
    assert all(draw_crop(given, 2, 1 / 32768, True, rng).max() > 1 / 32768 for _ in range(20))


def test_a_crop_wraps_at_the_recordings_end() -> None:
    given = np.arange(5, dtype=np.int16) * 1024
    assert (crop(given, 7, 3) * 32).tolist() == [3, 4, 0, 1, 2, 3, 4]
    assert crop(given, 7, 3).dtype == np.float32


def test_drawn_crops_are_loud_and_reach_every_loud_start_evenly() -> None:
    rng = np.random.default_rng(0)
    given = recording()
    loud = loud_starts(given, 20, 0.1)
    assert 0 < len(loud) < 50  # most crops are silent
    drawn = [draw_crop(given, 20, 0.1, True, rng) for _ in range(3000)]
    assert min(map(rms, drawn)) > 0.1
    found = {crop(given, 20, start).tobytes(): 0 for start in loud}
    for one in drawn:
        found[one.tobytes()] += 1
    different = len(found)  # no two loud starts give the same crop
    assert different == len(loud)
    assert min(found.values()) > 0.5 * 3000 / different


def test_without_a_seam_no_crop_wraps_unless_the_recording_is_short() -> None:
    rng = np.random.default_rng(0)
    ramp = np.arange(1000, 1100, dtype=np.int16)
    drawn = [draw_crop(ramp, 30, 1e-4, False, rng) for _ in range(1000)]
    assert all((np.diff(one) > 0).all() for one in drawn)
    assert {int(one[0] * 32768) for one in drawn} == set(range(1000, 1071))
    assert len(draw_crop(ramp, 250, 1e-4, False, rng)) == 250
    assert (draw_crop(ramp, 100, 1e-4, False, rng) * 32768 == ramp).all()  # the whole recording, from its start


def test_without_a_seam_the_loud_part_of_a_quiet_recording_is_drawn_inside_it() -> None:
    rng = np.random.default_rng(0)
    given = recording(loud=slice(90, 100))
    drawn = [draw_crop(given, 20, 0.1, False, rng) for _ in range(200)]
    assert {int(one.argmax()) for one in drawn} == set(range(10, 20))  # starts 80 to 71: crops from 81 on wrap


def test_without_a_seam_a_crop_wraps_if_it_is_loud_enough_only_there() -> None:
    given = recording()
    given[:] = np.roll(given, 55)  # loud are the first and the last five samples
    drawn = draw_crop(given, 10, 0.4, False, np.random.default_rng(0))  # five of ten have an RMS of 0.35
    assert rms(drawn) > 0.4


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0])
def test_the_gain_gives_the_snr(snr: float) -> None:
    rng = np.random.default_rng(1)
    machine, noise = rng.standard_normal(1000), 0.01 * rng.standard_normal(1000)
    noise *= noise_gain(machine, noise, snr)
    assert 10 * np.log10(np.mean(machine**2) / np.mean(noise**2)) == pytest.approx(snr)
