"""Magnitude spectra of waveforms, and what a clip that is shorter than the others is filled up with."""

import torch
from torch import Tensor


def tiled(waveforms: Tensor, samples: Tensor) -> Tensor:
    """Repeat the real `samples` (B,) of waveforms (B, length) up to their whole length; padding is overwritten."""
    if (samples >= waveforms.shape[1]).all():
        return waveforms
    position = torch.arange(waveforms.shape[1], device=waveforms.device)
    return waveforms.gather(1, position % samples.clamp_min(1)[:, None])


def magnitude_spectrogram(waveforms: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Return |STFT| of waveforms (B, samples), (B, frames, n_fft / 2 + 1): periodic Hann window, no padding."""
    window = torch.hann_window(n_fft, periodic=True, device=waveforms.device)
    return torch.fft.rfft(waveforms.unfold(-1, n_fft, hop_length) * window).abs()


def whole_frames(samples: int, n_fft: int, hop_length: int) -> int:
    """Return how many frames fit into so many samples without padding."""
    return max(0, 1 + (samples - n_fft) // hop_length)


def magnitude_spectrum(waveforms: Tensor) -> Tensor:
    """Return the first half of |FFT| of whole waveforms (B, samples), (B, samples / 2): unscaled, up to Nyquist."""
    return torch.fft.rfft(waveforms)[:, : waveforms.shape[1] // 2].abs()


def without_mean(magnitudes: Tensor, frames: Tensor) -> Tensor:
    """Subtract each bin's mean over the first `frames` (B,) from spectrograms (B, frames, bins)."""
    real = torch.arange(magnitudes.shape[1], device=magnitudes.device) < frames[:, None]  # (B, frames)
    total = (magnitudes * real[:, :, None]).sum(1, keepdim=True)
    return magnitudes - total / frames[:, None, None]
