"""Magnitude spectra of waveforms, and the repetition of short clips."""

import torch
from torch import Tensor
from torch.nn import functional


def tiled(waveforms: Tensor, samples: Tensor) -> Tensor:
    """Return waveforms (B, length) with the padding replaced by repeating the `samples` (B,) real samples."""
    if (samples >= waveforms.shape[1]).all():
        return waveforms
    return cropped(waveforms, samples, waveforms.shape[1], at_random=False)


def cropped(waveforms: Tensor, samples: Tensor, length: int, at_random: bool) -> Tensor:
    """Return `length` samples of each waveform (B, …), from its start or from a random place.

    Of a clip with fewer real `samples` (B,), these are repeated.
    """
    spare = (samples - length).clamp_min(0)
    start = torch.zeros_like(spare)
    if at_random:
        start = (torch.rand(len(spare), device=spare.device) * (spare + 1)).long().minimum(spare)
    position = start[:, None] + torch.arange(length, device=waveforms.device)
    return waveforms.gather(1, position % samples.clamp_min(1)[:, None])


def magnitude_spectrogram(waveforms: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Return |STFT| of waveforms (B, samples), (B, frames, n_fft / 2 + 1), with a periodic Hann window, unpadded."""
    window = torch.hann_window(n_fft, periodic=True, device=waveforms.device)
    return torch.fft.rfft(waveforms.unfold(-1, n_fft, hop_length) * window).abs()


def whole_frames(samples: int, n_fft: int, hop_length: int) -> int:
    """Return the number of frames that fit into `samples` samples without padding."""
    return max(0, 1 + (samples - n_fft) // hop_length)


def magnitude_spectrum(waveforms: Tensor) -> Tensor:
    """Return the first half of |FFT| of whole waveforms (B, samples), (B, samples / 2): unscaled, up to Nyquist."""
    return torch.fft.rfft(waveforms)[:, : waveforms.shape[1] // 2].abs()


def without_mean(magnitudes: Tensor, frames: Tensor) -> Tensor:
    """Return spectrograms (B, frames, bins) minus each bin's mean over the first `frames` (B,) frames."""
    real = torch.arange(magnitudes.shape[1], device=magnitudes.device) < frames[:, None]  # (B, frames)
    total = (magnitudes * real[:, :, None]).sum(1, keepdim=True)
    return magnitudes - total / frames[:, None, None]


def inverse_stft(spectra: Tensor, window: Tensor, hop_length: int, samples: int) -> Tensor:
    """Return waveforms (B, samples) of spectra (B, frames, bins), the inverse of a centred `torch.stft`.

    `torch.istft` looks at the sum of the squared windows in every call, for which the host waits for the device. Here
    the sum must not be 0, as with a Hann window that is at least twice as long as the hop.
    """
    frames = torch.fft.irfft(spectra, len(window)) * window
    scale = window.square().expand(1, len(frames[0]), -1)
    start = len(window) // 2
    total, scale = (_overlapped(parts, hop_length)[:, start : start + samples] for parts in (frames, scale))
    return functional.pad(total / scale, (0, samples - total.shape[1]))


def _overlapped(frames: Tensor, hop_length: int) -> Tensor:
    """Return the sum (B, samples) of frames (B, frames, length) at a distance of `hop_length` samples."""
    count, length = frames.shape[1:]
    size = (1, length + (count - 1) * hop_length)
    return functional.fold(frames.mT, size, (1, length), stride=(1, hop_length))[:, 0, 0]
