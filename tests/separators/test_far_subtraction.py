"""The subtraction of the far microphone from the near one."""

import numpy as np
import pytest
import torch

from asdlib.separators import SEPARATORS

RATE = 16000
SAMPLES = 10 * RATE
ONE = SEPARATORS["far_subtraction"]()


def noise(samples: int = SAMPLES, seed: int = 1, low: float = 0.0, high: float = 8000.0) -> torch.Tensor:
    """Return white noise of amplitude 3000 between two frequencies."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 3000, samples))
    frequencies = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return torch.from_numpy(np.fft.irfft(spectrum, samples)).float()


def test_it_is_the_published_formula() -> None:
    """Computed anew with numpy, frame by frame, in float64."""
    near, far = noise(5 * 512 + 100, 1).double().numpy(), noise(5 * 512 + 100, 2).double().numpy() * 0.5
    scale, window = 0.9 / max(abs(near).max(), abs(far).max()), np.hanning(1025)[:-1]
    spectra = []
    for channel in (near, far):
        padded = np.pad(scale * channel, 512, mode="reflect")
        frames = [padded[start : start + 1024] * window for start in range(0, len(padded) - 1023, 512)]
        spectra.append(np.fft.rfft(frames).T)  # (frequencies, frames)
    c, f = spectra
    h = (c * f.conj()).sum(1) / ((abs(f) ** 2).sum(1) + 1e-12)
    left = np.fft.irfft((c - h[:, None] * f).T) * window
    summed, weight = np.zeros(len(near) + 1024), np.zeros(len(near) + 1024)
    for number, frame in enumerate(left):
        summed[512 * number :][:1024] += frame
        weight[512 * number :][:1024] += window**2
    expected = (summed / np.maximum(weight, 1e-11))[512 : 512 + len(near)] / scale
    found = ONE.subtract(torch.from_numpy(near).float(), torch.from_numpy(far).float())
    assert (found.shape, found.dtype) == ((len(near),), torch.float32)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_what_only_the_near_microphone_hears_is_left() -> None:
    background, machine = noise(seed=1, high=4000), noise(seed=2, low=4300)
    left = ONE.subtract(0.7 * background + 0.01 * machine, background)
    error = left - 0.01 * machine
    assert error.square().sum() < 0.01 * (0.01 * machine).square().sum()


def test_two_channels_that_are_equal_leave_nothing_and_their_order_matters() -> None:
    one, other = noise(seed=1), noise(seed=2)
    assert ONE.subtract(one, one).abs().max() < 1e-6 * one.abs().max()
    assert (ONE.subtract(one, one + other) - ONE.subtract(one + other, one)).abs().max() > 1000
    assert not ONE.subtract(torch.zeros(2000), torch.zeros(2000)).any()
    assert torch.equal(ONE.subtract(torch.zeros(2000), one[:2000]), torch.zeros(2000))


def test_the_level_is_that_of_the_near_microphone() -> None:
    near, far = noise(20_000, 1), noise(20_000, 2)
    left = ONE.subtract(near, far)
    torch.testing.assert_close(ONE.subtract(near / 1e4, far / 1e4) * 1e4, left, rtol=1e-3, atol=0.1)
    assert 0.9 < left.std() / near.std() < 1


@pytest.mark.parametrize("samples", [1, 10, 512, 513, 1500, 16 * 512, 16 * 512 + 511, 16 * 512 + 384])
def test_any_length_is_kept_and_the_end_is_not_loud(samples: int) -> None:
    near, far = noise(samples + 2, 1)[:samples], noise(samples + 2, 2)[:samples]
    left = ONE.subtract(near, far)
    assert left.shape == near.shape
    assert left.isfinite().all()
    assert left[-100:].abs().max() < 2 * near.abs().max()
