"""Spectrogram averaged over windows of time, which suppresses transients and keeps steady sounds (report 5, §2.2)."""

import torch
from torch import Tensor

from asdlib.layers.spectra import magnitude_spectrogram


class AveragedSpectrogram:
    """Waveforms (B, samples) in [-1, 1] → ln(mean magnitude + floor), (B, windows, n_fft / 2), float32.

    Frames are centred and zero-padded, with a periodic Hann window. The mean is over `average` consecutive frames;
    frames left over at the end are dropped, and so is the bin at half the sample rate.
    """

    def __init__(
        self,
        n_fft: int = 1024,
        hop_length: int = 512,
        average: int = 10,
        floor: float = 1e-5,
        sample_rate: int = 16000,
    ):
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.average = average
        self.floor = floor
        self.sample_rate = sample_rate

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (windows, bins) of a clip."""
        return self.frames(samples), self.n_fft // 2

    def frames(self, samples: int) -> int:
        """Return the number of whole windows in a clip, at least one."""
        return max(1, (1 + samples // self.hop_length) // self.average)

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; clips are independent of each other."""
        half = self.n_fft // 2
        padded = torch.nn.functional.pad(waveforms, (half, half))
        magnitudes = magnitude_spectrogram(padded, self.n_fft, self.hop_length)[..., :half]  # (B, frames, bins)
        windows = self.frames(waveforms.shape[1])
        pieces = magnitudes[:, : windows * self.average].unflatten(1, (windows, -1))
        return pieces.mean(2).add_(self.floor).log_()
