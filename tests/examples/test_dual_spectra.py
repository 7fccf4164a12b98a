"""Tests of rows that combine a spectrogram, a spectrum and a waveform."""

import torch

from asdlib.examples.dual_spectra import DualSpectra
from asdlib.layers.spectra import magnitude_spectrogram, magnitude_spectrum

LAYOUT = DualSpectra(samples=1000, n_fft=64, hop_length=32)


def row(waveforms: torch.Tensor) -> torch.Tensor:
    return LAYOUT.join(magnitude_spectrogram(waveforms, 64, 32), magnitude_spectrum(waveforms), waveforms)


def test_parts_come_back() -> None:
    waveforms = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    rows = row(waveforms)
    assert rows.shape == (3, 1, sum(LAYOUT.parts)) == (3, 1, 30 * 33 + 500 + 1000)
    spectrogram, spectrum = LAYOUT.spectra(rows)
    assert torch.equal(spectrogram, magnitude_spectrogram(waveforms, 64, 32))
    assert torch.equal(spectrum, magnitude_spectrum(waveforms))  # exact, because the scale is a power of two
    assert torch.equal(LAYOUT.waveforms(rows), waveforms)


def test_waveforms_are_a_view() -> None:
    rows = row(torch.zeros(2, 1000))
    assert LAYOUT.waveforms(rows).untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()


def test_the_loudest_spectrum_of_ten_seconds_fits_half_precision() -> None:
    layout = DualSpectra(samples=160000, n_fft=1024, hop_length=512)
    loudest = torch.ones(1, 160000)
    rows = layout.join(magnitude_spectrogram(loudest, 1024, 512), magnitude_spectrum(loudest), loudest).half()
    assert torch.isfinite(rows).all()
    assert layout.spectra(rows.float())[1][0, 0] == 160000
