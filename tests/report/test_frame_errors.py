"""The error of frames and bands is what the score of an autoencoder is the mean of."""

import numpy as np
import pytest
import torch

from asdlib.examples.clips import Batch, Origin
from asdlib.examples.frame_windows import window_frames, window_starts
from asdlib.models import MODELS
from asdlib.models.conditional_autoencoder import ConditionalAutoencoder
from asdlib.models.conditional_dense_autoencoder import ConditionalDenseAutoencoder
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.models.window_autoencoder import WindowAutoencoder
from asdlib.report.frame_errors import frame_errors
from asdlib.report.inputs import MAPPED

BANDS = 16
ORIGIN = Origin("fan", "00", "raw", None)


class Condition(torch.nn.Module):
    """Infers the second condition of every clip, and remembers what it was asked."""

    def forward(self, features: torch.Tensor, frames: torch.Tensor, known: list[Origin]) -> torch.Tensor:
        self.asked = (frames.tolist(), known)
        return torch.ones(len(features), dtype=torch.int64)


def grown(network: WindowAutoencoder) -> WindowAutoencoder:
    """Return a network with random layers, scaled bands, and two conditions if it is conditional."""
    network.mean, network.std = torch.linspace(-1, 1, BANDS), torch.linspace(1, 3, BANDS)
    if network.conditional:
        network.names, network.inference = ["a", "b"], Condition()
        network.condition = torch.nn.Linear(2, network.width)
    network.build(BANDS)
    return network


NETWORKS = {
    "dense": lambda: DenseAutoencoder(bands=BANDS, hidden=8, latent=2),
    "conditional": lambda: grown(ConditionalAutoencoder(16, 8, [4, 4], 4)),
    "unconditional": lambda: grown(ConditionalAutoencoder(16, 8, [4, 4], 4, conditional=False)),
    "conditional dense": lambda: grown(ConditionalDenseAutoencoder(hidden=8, latent=2, depth=2)),
}


@torch.inference_mode()
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("frames", [45, 40, 16, 11])  # with a last window elsewhere, without, one, one that repeats
def test_the_mean_over_frames_is_the_error_that_is_scored(name: str, frames: int) -> None:
    torch.manual_seed(frames)
    network = NETWORKS[name]().eval()
    features = 3 * torch.randn(frames, BANDS)
    errors = frame_errors(network, features, ORIGIN)
    assert errors.shape == (frames, BANDS)
    starts = window_starts(frames, network.frames, getattr(network, "hop", 1))
    windows = np.bincount(window_frames(starts, frames, network.frames).flatten().numpy())
    padded = torch.cat([features, torch.full((3, BANDS), 1e3)])[None]
    batch = Batch(padded, torch.tensor([frames]), torch.zeros(1, dtype=torch.bool), origins=[ORIGIN])
    embedded = network.embed(batch)
    if name == "dense":
        assert np.average(errors.mean(axis=1), weights=windows) == pytest.approx(embedded["mse"].item(), rel=1e-5)
    else:
        mean = np.average(errors, axis=0, weights=windows)
        np.testing.assert_allclose(mean, embedded["error"][0].numpy(), rtol=1e-5)


def test_the_models_with_maps_are_those_whose_residuals_are_known() -> None:
    known = {kind for kind, model in MODELS.items() if issubclass(model, DenseAutoencoder | WindowAutoencoder)}
    assert set(MAPPED) == known


@torch.inference_mode()
def test_the_condition_is_inferred_from_the_whole_clip() -> None:
    network = NETWORKS["conditional"]().eval()
    frame_errors(network, torch.randn(40, BANDS), ORIGIN)
    assert network.inference.asked == ([40], [ORIGIN])


@torch.inference_mode()
def test_a_strange_frame_and_band_have_the_largest_error() -> None:
    features = torch.zeros(40, BANDS)
    features[21, 5] = 50
    errors = frame_errors(NETWORKS["dense"]().eval(), features, ORIGIN)
    assert np.unravel_index(errors.argmax(), errors.shape) == (21, 5)
