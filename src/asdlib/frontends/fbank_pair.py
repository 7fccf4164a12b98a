"""The log-mels of BEATs and of AudioMAE side by side, for models that hold both networks.

They differ in more than scale: BEATs was trained on Povey windows of 16-bit samples, AudioMAE on Hann windows of
samples between -1 and 1 whose mean was taken away. Neither is normalised here: the networks' own statistics are theirs.
"""

import torch
from torch import Tensor

from asdlib.frontends.fbank import Fbank

PLAIN = {"mean": 0.0, "std": 0.5}  # (x - 0) / (2 · 0.5)


class FbankPair:
    """Waveforms (B, samples) in [-1, 1] → log-mels (B, frames, 2, 128), BEATs' first, float32."""

    def __init__(self, sample_rate: int = 16000):
        self.sample_rate = sample_rate
        self._beats = Fbank("povey", scale=32768.0, remove_mean=False, sample_rate=sample_rate, **PLAIN)
        self._audiomae = Fbank("hanning", sample_rate=sample_rate, **PLAIN)

    def shape(self, samples: int) -> tuple[int, int, int]:
        """Return (frames, 2, bands) of a clip."""
        frames, bands = self._beats.shape(samples)
        return frames, 2, bands

    def frames(self, samples: int) -> int:
        """Return how many whole frames a clip of so many samples has."""
        return self._beats.frames(samples)

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; every clip's result is independent of the others in it."""
        return torch.stack([self._beats(waveforms), self._audiomae(waveforms)], dim=2)
