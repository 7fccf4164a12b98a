"""Tests of spectra against NumPy, of repeated short clips, and of means over real frames."""

import numpy as np
import pytest
import torch

from asdlib.layers.spectra import (
    cropped,
    inverse_stft,
    magnitude_spectrogram,
    magnitude_spectrum,
    tiled,
    whole_frames,
    without_mean,
)
from asdlib.models.dual_branch_exchange import mixed

NOISE = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))


def test_a_short_clip_is_repeated_and_its_padding_overwritten() -> None:
    waveforms = torch.tensor([[1.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
    expected = [[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
    assert tiled(waveforms, torch.tensor([3, 7])).tolist() == expected


def test_the_spectrogram_is_numpys() -> None:
    ours = magnitude_spectrogram(NOISE, 64, 32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    theirs = np.abs(np.fft.rfft(NOISE[1, 96:160].numpy() * window))
    assert ours.shape == (2, whole_frames(1000, 64, 32), 33)
    np.testing.assert_allclose(ours[1, 3], theirs, atol=1e-4)
    assert whole_frames(63, 64, 32) == 0


@pytest.mark.parametrize(("hop", "samples", "off"), [(32, 1000, 0.0), (32, 990, 0.0), (16, 1000, 1e-6)])
def test_the_inverse_stft_is_pytorchs(hop: int, samples: int, off: float) -> None:
    window = torch.hann_window(64)
    spectra = torch.stft(NOISE[:, :samples], 64, hop, window=window, return_complex=True)
    spectra = spectra * torch.rand_like(spectra.real)  # no longer of any waveform
    theirs = torch.istft(spectra, 64, hop, window=window, length=samples)
    assert (inverse_stft(spectra.mT, window, hop, samples) - theirs).abs().max() <= off


def test_the_spectrum_is_numpys_without_nyquist() -> None:
    ours = magnitude_spectrum(NOISE)
    assert ours.shape == (2, 500)
    np.testing.assert_allclose(ours[0], np.abs(np.fft.rfft(NOISE[0].numpy()))[:500], atol=1e-3)


def test_the_mean_is_that_of_real_frames() -> None:
    magnitudes = magnitude_spectrogram(NOISE, 64, 32)
    ours = without_mean(magnitudes, torch.tensor([5, magnitudes.shape[1]]))
    torch.testing.assert_close(ours[0], magnitudes[0] - magnitudes[0, :5].mean(0))
    torch.testing.assert_close(ours[1], magnitudes[1] - magnitudes[1].mean(0))


def test_mixing_sounds_is_not_mixing_magnitudes() -> None:
    """This is why a row contains the waveform."""
    share = torch.tensor([0.5, 0.5])
    sounds, magnitudes = magnitude_spectrum(mixed(NOISE, share)), mixed(magnitude_spectrum(NOISE), share)
    assert (sounds <= magnitudes + 1e-3).all()
    assert sounds.mean() < 0.8 * magnitudes.mean()


def test_a_crop_is_of_real_samples_from_any_place_and_of_a_short_clip_repeated() -> None:
    waveforms = torch.arange(20.0).repeat(3, 1)
    samples = torch.tensor([20, 12, 5])
    first = cropped(waveforms, samples, 8, at_random=False)
    assert first[:2].tolist() == [list(range(8))] * 2
    assert first[2].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    starts = [set(), set()]
    torch.manual_seed(0)
    for _ in range(300):
        drawn = cropped(waveforms, samples, 8, at_random=True)
        assert drawn[2].tolist() == first[2].tolist()
        for clip in range(2):
            start = int(drawn[clip, 0])
            assert drawn[clip].tolist() == list(range(start, start + 8))
            starts[clip].add(start)
    assert starts == [set(range(13)), set(range(5))]
