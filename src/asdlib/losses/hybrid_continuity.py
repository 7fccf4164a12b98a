"""The hybrid continuity loss: SI-SNR plus a spectral loss that penalises holes in the estimate.

Pan, Ge and Li, "A Hybrid Continuity Loss to Reduce Over-Suppression for Time-domain Target Speaker Extraction",
Interspeech 2022, in the form of the official code. Since a hole causes jumps in time, the loss compares not only the
magnitudes at three resolutions but also their first and second time differences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop and window in samples at 16 kHz
SLOPE_FRAMES = 5  # over which a change with time is measured
EPS = 1e-6


class SpectralLoss(NamedTuple):
    """The distances of magnitudes and their time differences: relative to the target, and on a log scale."""

    convergence: Tensor
    log_magnitude: Tensor


def hybrid_continuity_terms(
    estimate: Tensor,
    target: Tensor,
    gamma: float = 1.0,
    per_item: bool = False,
    resolutions: Sequence[tuple[int, int, int]] = RESOLUTIONS,
    slope_frames: int = SLOPE_FRAMES,
) -> dict[str, Tensor]:
    """Return the terms of the scalar loss of (B, samples), which is their sum.

    These are `si_snr`, −SI-SNR, and `spectral`, gamma · (spectral convergence + log magnitude distance).

    The loss is not scale-invariant: scale both signals to the level of their mixture first. With `per_item`, all items
    of a batch have the same weight; the official code computes norms over the whole batch, so that loud items dominate.
    `resolutions` are (FFT size, hop, window length) of each STFT in samples; only tests, such as those of the
    reference outputs, set them and `slope_frames`.
    """
    estimate, target = estimate.float(), target.float()  # the STFT does not support bfloat16
    parts = [spectral_loss(estimate, target, *sizes, per_item, slope_frames) for sizes in resolutions]
    spectral = torch.stack([part.convergence + part.log_magnitude for part in parts]).mean()
    return {"si_snr": -si_snr(estimate, target).mean(), "spectral": gamma * spectral}


def si_snr(estimate: Tensor, target: Tensor) -> Tensor:
    """Return the scale-invariant signal-to-noise ratio in dB, (B,), with the constants of the official code."""
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + EPS)
    projection = scale * target
    error = (estimate - projection).square().sum(-1)
    return 10 * torch.log10(projection.square().sum(-1) / (error + EPS) + EPS)


def spectral_loss(
    estimate: Tensor,
    target: Tensor,
    n_fft: int,
    hop: int,
    window: int,
    per_item: bool = False,
    slope_frames: int = SLOPE_FRAMES,
) -> SpectralLoss:
    """Return the spectral loss of signals (B, samples) at one resolution, which is given in samples.

    It compares the magnitudes, their slopes and the slopes of the slopes.
    """
    found, wanted = (magnitudes(signal, n_fft, hop, window) for signal in (estimate, target))
    linear = zip(_with_slopes(found, slope_frames), _with_slopes(wanted, slope_frames), strict=True)
    logarithmic = zip(_with_slopes(found.log(), slope_frames), _with_slopes(wanted.log(), slope_frames), strict=True)
    return SpectralLoss(
        sum(_relative_distance(*pair, per_item) for pair in linear),
        sum(functional.l1_loss(*pair) for pair in logarithmic),
    )


def magnitudes(signal: Tensor, n_fft: int, hop: int, window: int) -> Tensor:
    """Return the STFT magnitudes (B, bins, frames) of (B, samples)."""
    hann = torch.hann_window(window, device=signal.device, dtype=signal.dtype)
    spectra = torch.stft(signal, n_fft, hop, window, hann, return_complex=True)
    return (spectra.real.square() + spectra.imag.square()).clamp_min(1e-7).sqrt()


def slope(values: Tensor, frames: int = SLOPE_FRAMES) -> Tensor:
    """Return the slope of (B, bins, frames) over time: that of a line fitted to an odd number of frames.

    The ends are repeated.
    """
    reach, count = frames // 2, values.shape[-1]
    padded = functional.pad(values, (reach, reach), mode="replicate")
    offsets = range(1, reach + 1)
    rises = [
        padded[..., reach + offset : reach + offset + count] - padded[..., reach - offset : reach - offset + count]
        for offset in offsets
    ]
    weighted = sum(offset * rise for offset, rise in zip(offsets, rises, strict=True))
    return weighted / (2 * sum(offset**2 for offset in offsets))


def _with_slopes(values: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    change = slope(values, frames)
    return values, change, slope(change, frames)


def _relative_distance(found: Tensor, wanted: Tensor, per_item: bool) -> Tensor:
    """Return the Frobenius norm of the difference relative to the target's, over the batch or as a mean over items."""
    dims = (1, 2) if per_item else None
    return (torch.linalg.vector_norm(found - wanted, dim=dims) / torch.linalg.vector_norm(wanted, dim=dims)).mean()
