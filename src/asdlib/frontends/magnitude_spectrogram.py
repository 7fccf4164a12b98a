"""Magnitude spectrogram without its mean over time (report 5, §2.1)."""

import torch
from torch import Tensor

from asdlib.layers.spectra import magnitude_spectrogram, tiled, whole_frames, without_mean


class MagnitudeSpectrogram:
    """Waveforms (B, samples) in [-1, 1] → |STFT| minus its mean over time, (B, frames, n_fft / 2 + 1), float32.

    There is no padding at the ends; the window is a periodic Hann window and the magnitude linear. The mean is taken
    over the frames of real samples. A clip shorter than the batch is repeated to fill its length.
    """

    needs_samples = True

    def __init__(self, n_fft: int = 1024, hop_length: int = 512, sample_rate: int = 16000):
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.sample_rate = sample_rate

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (frames, bins) of a clip."""
        return whole_frames(samples, self.n_fft, self.hop_length), self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """Return the number of whole frames in a clip."""
        return whole_frames(samples, self.n_fft, self.hop_length)

    def __call__(self, waveforms: Tensor, samples: Tensor) -> Tensor:
        """Transform a batch; `samples` (B,) is the number of real samples of each clip."""
        magnitudes = magnitude_spectrogram(tiled(waveforms, samples), self.n_fft, self.hop_length)
        real = torch.tensor([self.frames(count) for count in samples.tolist()], device=magnitudes.device)
        return without_mean(magnitudes, real.clamp_min(1))
