"""The losses of SepReformer, on the waveforms of its final and the magnitudes of its earlier estimates.

Shin et al., NeurIPS 2024, in the form of the official code. Every function takes signals (…, samples) and returns a
loss in dB, (…); lower is better.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

FLOOR = -30.0  # dB: the loss of the final estimate is not below this
SMALLEST_SCALE = 0.01  # of the target of an earlier stage


def waveform_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """Return the negative scale-invariant SDR, not below `FLOOR`."""
    estimate, target = _centred(estimate), _centred(target)
    projection = _scale(estimate, target) * target
    ratio = _norm(projection) / (_norm(estimate - projection) + 1e-8)
    return (-20 * torch.log10(1e-8 + ratio)).clamp_min(FLOOR)


def magnitude_loss(estimate: Tensor, target: Tensor, frame: int, hop: int) -> Tensor:
    """Return the negative SDR of STFT magnitudes; the target is first scaled to the level of the estimate."""
    estimate, target = _centred(estimate), _centred(target)
    scaled = _scale(estimate, target).clamp_min(SMALLEST_SCALE) * target
    wanted, found = (_magnitudes(signal, frame, hop).flatten(-2) for signal in (scaled, estimate))
    return -20 * torch.log10(1e-12 + _norm(wanted) / (_norm(found - wanted) + 1e-12))


def _centred(signal: Tensor) -> Tensor:
    return signal - signal.mean(-1, keepdim=True)


def _norm(signal: Tensor) -> Tensor:
    return torch.linalg.vector_norm(signal, dim=-1)


def _scale(estimate: Tensor, target: Tensor) -> Tensor:
    """Return the factor (…, 1) on the target that best fits the estimate."""
    return (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + 1e-8)


def _magnitudes(signal: Tensor, frame: int, hop: int) -> Tensor:
    """Return STFT magnitudes (…, frames, bins); only the end of the signal is padded, to a whole hop.

    At an overlap of one half the window is a square-root Hann window, otherwise a Hann window that is scaled to unit
    energy for an overlap of three quarters.
    """
    signal = functional.pad(signal, (0, -signal.shape[-1] % hop))
    window = torch.hann_window(frame, device=signal.device, dtype=signal.dtype)
    window = window.sqrt() if frame == 2 * hop else window * math.sqrt(2 / 3)
    window = window / (0.5 * math.sqrt(frame**2 / hop))
    spectra = torch.fft.rfft(signal.unfold(-1, frame, hop) * window)
    return (spectra.real.square() + spectra.imag.square() + 1e-10).sqrt()
