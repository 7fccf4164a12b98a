"""Tests of the functions shared by all separators: SI-SDR, level and windows."""

import pytest
import torch
from helpers.refusals import refused

from asdlib.separation.estimates import restore_level, separate_clips, separation_metrics, si_sdr, window_samples
from asdlib.separation.mixtures import Mixtures


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_si_sdr_is_the_ratio_to_orthogonal_noise_at_any_scale_sign_and_offset() -> None:
    target = noise(2, 4000)
    target -= target.mean(1, keepdim=True)
    error = noise(2, 4000, seed=1)
    error -= error.mean(1, keepdim=True)
    error -= (error * target).sum(1, keepdim=True) / target.square().sum(1, keepdim=True) * target
    expected = 10 * torch.log10(target.square().sum(1) / error.square().sum(1))
    for scale, offset in ((1.0, 0.0), (-0.01, 0.0), (30.0, 2.0)):
        torch.testing.assert_close(si_sdr(scale * (target + error) + offset, target), expected, atol=2e-3, rtol=0)


def test_si_sdr_is_a_number_for_a_perfect_and_for_a_silent_estimate() -> None:
    target = noise(4000)
    silent = torch.zeros(4000)
    perfect, nothing, of_silence = (si_sdr(*pair) for pair in ((target, target), (silent, target), (target, silent)))
    assert 60 < perfect < torch.inf
    assert float(nothing) == float(of_silence) == pytest.approx(-80)


def test_the_improvement_is_over_the_mixture() -> None:
    sources = noise(4, 2, 1000)
    mixtures = Mixtures(sources.sum(1), sources)
    assert separation_metrics(mixtures.mixture, mixtures)["si_sdr_improvement"] == 0
    halved = separation_metrics(sources[:, 0] + 0.1 * sources[:, 1], mixtures)
    assert halved["si_sdr_improvement"] == pytest.approx(20, abs=0.5)  # a tenth of the noise's amplitude is left
    torch.testing.assert_close(halved["si_sdr"], si_sdr(sources[:, 0] + 0.1 * sources[:, 1], sources[:, 0]).mean())


@pytest.mark.parametrize("scale", [1.0, -1e-6, 500.0])
def test_the_level_and_sign_of_an_estimate_are_restored(scale: float) -> None:
    machine = 0.1 * noise(3, 8000)
    mixture = machine + 0.1 * noise(3, 8000, seed=1)
    torch.testing.assert_close(restore_level(scale * mixture, mixture), mixture)
    restored = restore_level(scale * machine, mixture)
    ratio = (restored * machine).sum(1) / machine.square().sum(1)
    assert ratio.tolist() == pytest.approx([1, 1, 1], abs=0.05)  # machine and noise correlate slightly by chance


def test_machine_and_noise_are_fitted_together() -> None:
    """The estimates are mixtures of both sounds, at any level: PyTorch's least squares give the machine's part."""
    sounds = noise(2, 8000)
    mixture = sounds.sum(0, keepdim=True)
    estimates = torch.tensor([[5.0, 0.4], [-0.02, -0.1]]) @ sounds
    gains = torch.linalg.lstsq(estimates.T, mixture.T).solution[:, 0]
    torch.testing.assert_close(restore_level(estimates[None], mixture)[0], gains[0] * estimates[0])
    torch.testing.assert_close(gains @ estimates, mixture[0])


def test_a_pause_is_not_filled_with_what_is_left_of_the_noise() -> None:
    """Alone, the estimate of a machine that pauses would become as loud as the mixture."""
    mixture = noise(1, 8000)
    left = 0.01 * mixture + 0.001 * noise(1, 8000, seed=1)
    assert restore_level(left, mixture).std() > 0.95 * mixture.std()
    assert restore_level(torch.stack([left, mixture], 1), mixture).std() < 0.1 * mixture.std()


def test_estimates_that_are_alike_have_half_each() -> None:
    mixture = noise(1, 8000)
    for second in (-3 * mixture, mixture + 1e-3 * noise(1, 8000, seed=1)):
        torch.testing.assert_close(restore_level(torch.stack([2 * mixture, second], 1), mixture), mixture / 2)


def test_a_silent_estimate_stays_silent() -> None:
    silent, mixture = torch.zeros(1, 100), noise(1, 100)
    assert not restore_level(silent, mixture).any()
    assert not restore_level(torch.stack([silent, mixture], 1), mixture).any()
    torch.testing.assert_close(restore_level(torch.stack([mixture, silent], 1), mixture), mixture)


@pytest.mark.parametrize("samples", [1, 99, 100, 101, 149, 150, 151, 1000, 1001])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
def test_windows_of_arbitrary_gains_join_to_the_clip(samples: int, overlap: float) -> None:
    """Every estimate has another scale, and some are inverted; joined, they must give the clip again."""
    gains = iter([3.0, -0.2, 1.0, -7.0] * 200)
    mixture = noise(2, samples)
    joined = separate_clips(lambda windows: torch.stack([next(gains) * one for one in windows]), mixture, 100, overlap)
    torch.testing.assert_close(joined, mixture, rtol=1e-4, atol=1e-5)


def test_short_clips_are_seen_whole_and_long_ones_in_some_windows_at_once() -> None:
    seen = []

    def estimate(clip: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(clip.shape))
        return clip

    separate_clips(estimate, noise(2, 100), 100)
    assert seen == [(1, 100)] * 2
    seen.clear()
    separate_clips(estimate, noise(1, 320), 100, 0.5)
    assert seen == [(6, 100)]  # starting at 0, 50, … 200, and 220
    seen.clear()
    separate_clips(estimate, noise(1, 3 * 2**17), 2**17, 0.5)
    assert seen == [(2, 2**17)] * 2 + [(1, 2**17)]  # at most 16 s at 16 kHz at once
    seen.clear()
    separate_clips(estimate, noise(1, 320))
    assert seen == [(1, 320)]


def test_neighbouring_windows_are_cross_faded() -> None:
    """Windows with different estimates are joined without a step."""
    level = iter([0.0, 1.0])
    clip = torch.ones(1, 150)

    def estimate(windows: torch.Tensor) -> torch.Tensor:
        # The first window's estimate is silent, the second's is the clip itself.
        return torch.stack([next(level) * one for one in windows])

    joined = separate_clips(estimate, clip, 100, 0.5)[0]
    assert joined[:50].abs().max() == 0
    torch.testing.assert_close(joined[100:], torch.ones(50))
    assert joined.diff().abs().max() < 0.05
    assert (joined[50:100].diff() > 0).all()


def test_window_samples() -> None:
    assert window_samples(4.0, 0.5, 16000) == 64000
    assert window_samples(None, 0.5, 16000) is None
    assert window_samples(1e-4, 0.0, 16000) == 2


@pytest.mark.parametrize(
    ("window", "overlap", "message"),
    [
        (4.0, 1.0, "separator: overlap: 1.0: give a share of the window from 0 to below 1"),
        (None, -0.1, "separator: overlap: -0.1: give a share of the window from 0 to below 1"),
        (0.0, 0.5, "separator: window: 0.0: give seconds, or null for whole clips"),
    ],
)
def test_wrong_windows_are_refused(window: float | None, overlap: float, message: str) -> None:
    refused(lambda: window_samples(window, overlap, 16000), message)
