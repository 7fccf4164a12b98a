"""The log-mels of BEATs and AudioMAE side by side, for models that contain both networks.

They differ in more than scale: BEATs was trained on 16-bit samples with a Povey window, AudioMAE on zero-mean samples
between -1 and 1 with a Hann window. Neither is normalised here; each network applies its own statistics.
"""

import torch
from torch import Tensor

from asdlib.frontends.fbank import Fbank

PLAIN = {"mean": 0.0, "std": 0.5}  # (x - 0) / (2 · 0.5)


class FbankPair:
    """Waveforms (B, samples) in [-1, 1] → log-mels (B, frames, 2, 128), BEATs first, float32."""

    def __init__(self, sample_rate: int = 16000):
        self.sample_rate = sample_rate
        self._beats = Fbank("povey", scale=32768.0, remove_mean=False, sample_rate=sample_rate, **PLAIN)
        self._audiomae = Fbank("hanning", sample_rate=sample_rate, **PLAIN)

    def shape(self, samples: int) -> tuple[int, int, int]:
        """Return (frames, 2, bands) of a clip."""
        frames, bands = self._beats.shape(samples)
        return frames, 2, bands

    def frames(self, samples: int) -> int:
        """Return the number of whole frames in a clip."""
        return self._beats.frames(samples)

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; clips are independent of each other."""
        return torch.stack([self._beats(waveforms), self._audiomae(waveforms)], dim=2)
