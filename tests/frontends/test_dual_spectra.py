"""The inputs of the dual-branch CNN: mean subtraction, padding of short clips, and the error of half precision."""

import pytest
import torch

from asdlib.examples.dual_spectra import DualSpectra
from asdlib.frontends.dual_spectra import DualSpectraRow
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum

SAMPLES = torch.tensor([16000, 9000])
CLIPS = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))


def test_ten_seconds_have_the_published_sizes() -> None:
    assert MagnitudeSpectrogram().shape(160000) == (311, 513)
    assert MagnitudeSpectrum().shape(160000) == (1, 80000)
    assert DualSpectraRow().shape(160000) == (1, 311 * 513 + 80000 + 160000)


def test_the_mean_over_real_frames_is_zero_and_over_all_frames_it_is_not() -> None:
    frontend = MagnitudeSpectrogram()
    spectrogram = frontend(CLIPS, SAMPLES)
    torch.testing.assert_close(spectrogram[0].mean(0), torch.zeros(513), rtol=0, atol=1e-4)
    assert frontend.frames(9000) == 16  # the last one ends at sample 8704
    torch.testing.assert_close(spectrogram[1, :16].mean(0), torch.zeros(513), rtol=0, atol=1e-4)
    assert spectrogram[1].mean(0).abs().max() > 0.01


def test_a_constant_tone_vanishes() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]  # a whole number of periods per hop
    assert MagnitudeSpectrogram()(tone, SAMPLES[:1]).abs().max() < 2e-2  # the magnitude of the tone is 256
    assert MagnitudeSpectrum()(tone, SAMPLES[:1]).argmax() == 1000  # bins of 1 Hz


@pytest.mark.parametrize("kind", [MagnitudeSpectrogram, MagnitudeSpectrum, DualSpectraRow])
def test_what_a_clip_is_padded_with_does_not_matter(kind: type) -> None:
    padded = CLIPS.clone()
    padded[1, 9000:] = 0
    assert torch.equal(kind()(CLIPS, SAMPLES), kind()(padded, SAMPLES))


def test_the_row_holds_both_views_and_the_repeated_waveform() -> None:
    rows = DualSpectraRow()(CLIPS, SAMPLES)
    layout = DualSpectra(16000, 1024, 512)
    spectrogram, spectrum = layout.spectra(rows)
    assert torch.equal(spectrogram, MagnitudeSpectrogram()(CLIPS, SAMPLES))
    assert torch.equal(spectrum, MagnitudeSpectrum()(CLIPS, SAMPLES)[:, 0])
    waveforms = layout.waveforms(rows)
    assert torch.equal(waveforms[0], CLIPS[0])
    assert torch.equal(waveforms[1], torch.cat([CLIPS[1, :9000], CLIPS[1, :7000]]))


def test_half_precision_costs_a_thousandth() -> None:
    rows = DualSpectraRow()(CLIPS, SAMPLES)
    layout = DualSpectra(16000, 1024, 512)
    for exact, stored in zip(layout.spectra(rows), layout.spectra(rows.half().float()), strict=True):
        assert (stored - exact).abs().max() <= 1e-3 * exact.abs().max()
    assert (rows.half().float() - rows).norm() < 5e-4 * rows.norm()
