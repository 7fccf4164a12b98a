"""The mel filters are librosa's."""

import librosa
import numpy as np
import pytest

from asdlib.frontends.mel import mel_filters


@pytest.mark.parametrize("bands", [1, 40, 128, 256])
@pytest.mark.parametrize(("rate", "n_fft"), [(16000, 1024), (16000, 2048), (44100, 1024), (48000, 4096), (1500, 256)])
def test_filters_are_librosas_to_the_last_bit(rate: int, n_fft: int, bands: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=0.0, fmax=rate / 2)
    found = mel_filters(rate, n_fft, bands)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
