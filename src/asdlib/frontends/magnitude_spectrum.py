"""Magnitude spectrum of a whole clip (report 5, §2.1)."""

from torch import Tensor

from asdlib.layers.spectra import magnitude_spectrum, tiled


class MagnitudeSpectrum:
    """Waveforms (B, samples) → |FFT|, unscaled, below half the sample rate, (B, 1, samples / 2), float32.

    A clip shorter than the batch is repeated to fill its length, so that all clips have the same bins.
    """

    needs_samples = True

    def __init__(self, sample_rate: int = 16000):
        self.sample_rate = sample_rate

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (1, bins) of a clip."""
        return 1, samples // 2

    def frames(self, samples: int) -> int:
        """Return 1: a spectrum has no time axis."""
        return 1

    def __call__(self, waveforms: Tensor, samples: Tensor) -> Tensor:
        """Transform a batch; `samples` (B,) is the number of real samples of each clip."""
        return magnitude_spectrum(tiled(waveforms, samples))[:, None]
