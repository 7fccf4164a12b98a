"""SepReformer's losses; parity with the official code is tested in tests/parity."""

import numpy as np
import pytest
import torch

from asdlib.losses.multi_stage import FLOOR, magnitude_loss, waveform_loss


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    signal = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return signal - signal.mean(-1, keepdim=True)


def error_of(target: torch.Tensor, decibels: float) -> torch.Tensor:
    """Return an error that is `decibels` below the target and orthogonal to it."""
    error = noise(*target.shape, seed=1)
    error -= (error * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True) * target
    return error * target.norm(dim=-1, keepdim=True) / error.norm(dim=-1, keepdim=True) * 10 ** (-decibels / 20)


@pytest.mark.parametrize("scale", [0.1, 1.0, -3.0])
def test_the_waveform_loss_is_the_negative_si_sdr(scale: float) -> None:
    target = noise(2, 2, 4000)
    estimate = scale * (target + error_of(target, 10.0)) + 0.7
    torch.testing.assert_close(waveform_loss(estimate, target), torch.full((2, 2), -10.0), atol=1e-3, rtol=0)


def test_a_better_estimate_than_the_floor_is_not_pushed_further() -> None:
    target = noise(1, 4000)
    estimate = (target + error_of(target, 40.0)).requires_grad_()
    loss = waveform_loss(estimate, target)
    loss.sum().backward()
    assert loss == FLOOR
    assert not estimate.grad.any()


def test_the_magnitude_loss_follows_the_estimates_level() -> None:
    target = noise(2, 4000)
    estimate = target + error_of(target, 10.0)
    first = magnitude_loss(estimate, target, 128, 32)
    torch.testing.assert_close(magnitude_loss(0.2 * estimate, target, 128, 32), first, atol=1e-2, rtol=0)
    assert (magnitude_loss(target + error_of(target, 20.0), target, 128, 32) < first - 5).all()


def test_the_magnitude_loss_does_not_ask_for_the_opposite_sign_of_the_target() -> None:
    """With a negative scale, −target would have the same loss as the target; the scale is at least 0.01."""
    target = noise(1, 4000)
    assert magnitude_loss(-target, target, 128, 32) > magnitude_loss(target, target, 128, 32) + 50


@pytest.mark.parametrize(("hop", "power"), [(64, 0.5), (32, 1.0)])
def test_the_window_is_a_hann_window_or_its_root_where_frames_overlap_by_half(hop: int, power: float) -> None:
    """The factor on the window has no part in a ratio of magnitudes; the end is padded to a whole hop."""
    target = noise(1, 1000)
    estimate = target + error_of(target, 10.0)
    window = np.sin(np.pi * np.arange(128) / 128) ** (2 * power)

    def spectra(signal: torch.Tensor) -> np.ndarray:
        padded = np.pad(signal[0].double().numpy(), (0, -1000 % hop))
        return np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, 128)[::hop] * window))

    wanted, found = spectra(target * (estimate * target).sum() / target.square().sum()), spectra(estimate)
    expected = -20 * np.log10(np.linalg.norm(wanted) / np.linalg.norm(found - wanted))
    assert float(magnitude_loss(estimate, target, 128, hop)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("frame", "hop"), [(128, 64), (128, 32)])
def test_every_sample_but_those_at_the_start_counts(frame: int, hop: int) -> None:
    """The end is padded to a whole hop, so a click in the very last sample changes the loss."""
    target = noise(1, 1000)
    estimate = target.clone().requires_grad_()
    magnitude_loss(estimate + 0.01 * noise(1, 1000, seed=2), target, frame, hop).sum().backward()
    assert estimate.grad[0, hop:].abs().min() > 0
