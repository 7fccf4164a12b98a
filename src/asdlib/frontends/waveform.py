"""The waveform itself, for a model that changes waveforms in its training before it computes features."""

from torch import Tensor


class Waveform:
    """Waveforms (B, samples) in [-1, 1], as they are; every sample is a frame."""

    def __init__(self, sample_rate: int = 16000):
        self.sample_rate = sample_rate

    def shape(self, samples: int) -> tuple[int]:
        """Return (samples,)."""
        return (samples,)

    def frames(self, samples: int) -> int:
        """Return the number of samples."""
        return samples

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return the batch."""
        return waveforms
