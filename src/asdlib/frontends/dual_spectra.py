"""Spectrogram, spectrum and waveform of a clip in one row, the input of the dual-branch CNN (report 5, §2.1)."""

from torch import Tensor

from asdlib.examples.dual_spectra import DualSpectra
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum
from asdlib.layers.spectra import tiled


class DualSpectraRow:
    """Waveforms (B, samples) in [-1, 1] → rows (B, 1, values) laid out by `examples.dual_spectra.DualSpectra`."""

    needs_samples = True

    def __init__(self, n_fft: int = 1024, hop_length: int = 512, sample_rate: int = 16000):
        self.sample_rate = sample_rate
        self._spectrogram = MagnitudeSpectrogram(n_fft, hop_length, sample_rate)
        self._spectrum = MagnitudeSpectrum(sample_rate)

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (1, values) of a clip."""
        return 1, self._layout(samples).values

    def frames(self, samples: int) -> int:
        """Return 1: one row holds the whole clip."""
        return 1

    def __call__(self, waveforms: Tensor, samples: Tensor) -> Tensor:
        """Transform a batch; `samples` (B,) is the number of real samples of each clip."""
        spectrogram = self._spectrogram(waveforms, samples)
        spectrum = self._spectrum(waveforms, samples)[:, 0]
        return self._layout(waveforms.shape[1]).join(spectrogram, spectrum, tiled(waveforms, samples))

    def _layout(self, samples: int) -> DualSpectra:
        return DualSpectra(samples, self._spectrogram.n_fft, self._spectrogram.hop_length)
