"""Statistics of a clip do not depend on its padding or its level, and modulation lies where it was put."""

import numpy as np
import pytest
import torch

from asdlib.data.clip_format import SHORTEST
from asdlib.errors import AsdError
from asdlib.frontends.spectral_statistics import SpectralStatistics

FRONTEND = SpectralStatistics()


def row(clip: np.ndarray, padding: int = 0) -> np.ndarray:
    padded = torch.from_numpy(np.pad(clip.astype(np.float32), (0, padding)))[None]
    return FRONTEND(padded, torch.tensor([len(clip)]))[0, 0].numpy()


def noise(samples: int = 48000) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(samples)


@pytest.mark.parametrize("samples", [9000, 47999])
def test_padding_has_no_part_in_any_value(samples: int) -> None:
    assert np.array_equal(row(noise(samples)), row(noise(samples), padding=160_000 - samples))


def test_the_level_of_a_recording_has_no_part_in_the_statistics() -> None:
    loud, quiet = row(noise()), row(noise() / 16)
    np.testing.assert_allclose(loud[:128], quiet[:128], atol=1e-3)


def test_modulation_is_found_at_its_rate() -> None:
    time = np.arange(160_000) / 16000
    modulated = noise(160_000) * (1 + 0.9 * np.sin(2 * np.pi * 10 * time))
    gain = (row(modulated) - row(noise(160_000)))[128:].reshape(16, 12).mean(0)
    edges = np.geomspace(0.6, 60, 24)[1::2]  # upper edges of the eleven last bins begin here
    assert gain.argmax() == 1 + np.searchsorted(edges[:-1], 10) - 1
    assert gain.max() > 1  # a factor of ten


def test_the_power_of_a_modulation_does_not_grow_with_the_length_of_a_clip() -> None:
    np.testing.assert_allclose(row(noise(160_000))[128:].mean(), row(noise(40_000))[128:].mean(), atol=0.2)


@pytest.mark.parametrize("samples", [1535, 1536, round(SHORTEST * 16000), 16000])
def test_the_shortest_clips_that_are_prepared_have_finite_values(samples: int) -> None:
    assert FRONTEND.frames(samples) == (samples >= 1536)
    if FRONTEND.frames(samples):
        assert np.isfinite(row(noise(samples))).all()


def test_bands_that_do_not_divide_the_filters_are_refused() -> None:
    with pytest.raises(AsdError, match="n_mels: use a multiple of bands"):
        SpectralStatistics(bands=30)
