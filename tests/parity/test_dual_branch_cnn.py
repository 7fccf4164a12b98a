"""Parity with the published dual-branch CNN: both views, the maps on the way, both embeddings, from the waveform on."""

import json
import re

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.frontends.dual_view import DualViewRow
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum
from asdlib.layers.spectra import magnitude_spectrogram
from asdlib.models.dual_branch_cnn import DualBranchCnn

FOLDER = golden("dual_branch_cnn_tiny")
CONFIG = json.loads((FOLDER / "config.json").read_text())
EXPECTED = load_file(FOLDER / "io.safetensors")
SAMPLES = torch.full((2,), CONFIG["hyperparameters"]["num_samples"])


# Where the layers of the spectrum branch lie: every third layer of a sequence, from the given one on.
PLACES = {"conv": ("convolutions", 0), "se": ("convolutions", 2), "dense": ("dense", 0), "bn": ("dense", 1)}


def own_name(name: str) -> str:
    """Return our name of a published weight."""
    name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
    name = re.sub(r"^spectrum\.(conv|se|dense|bn)(\d)", _spectrum_layer, name)
    name = re.sub(r"block(\d)\.unit(\d)", lambda found: f"units.{2 * int(found[1]) + int(found[2]) - 3}", name)
    return name.replace("stem.conv", "stem.0").replace("stem.bn", "stem.1")


def _spectrum_layer(found: re.Match) -> str:
    sequence, first = PLACES[found[1]]
    return f"spectrum.{sequence}.{first + 3 * (int(found[2]) - 1)}"


@pytest.fixture(scope="module")
def network() -> DualBranchCnn:
    given = CONFIG["hyperparameters"]
    built = DualBranchCnn(
        samples=given["num_samples"],
        spectrum_channels=given["spectrum_channels"],
        spectrogram_channels=given["spectrogram_channels"],
        dimensions=given["embedding_dim_per_branch"],
        se_ratio=given["se_ratio"],
    )
    weights = {own_name(name): value for name, value in load_file(FOLDER / "weights.safetensors").items()}
    assert sum(value.numel() for value in weights.values()) == CONFIG["n_parameters_in_weights_file"]
    counters = {name: value for name, value in built.state_dict().items() if name.endswith("num_batches_tracked")}
    built.load_state_dict(weights | counters, strict=True)
    return built.eval()


def same(name: str, ours: torch.Tensor) -> None:
    torch.testing.assert_close(ours, EXPECTED[name], **CONFIG["tolerance"])


def test_both_views() -> None:
    waveforms = EXPECTED["waveform"]
    same("spectrum", MagnitudeSpectrum()(waveforms, SAMPLES)[:, 0, ::16])
    same("magnitude_spectrogram", magnitude_spectrogram(waveforms, 1024, 512)[:1, :, ::4])
    same("spectrogram_after_time_mean_subtraction", MagnitudeSpectrogram()(waveforms, SAMPLES)[:1, :, ::4])


@torch.no_grad()
def test_the_maps_on_the_way(network: DualBranchCnn) -> None:
    branch = network.spectrogram
    spectrogram = MagnitudeSpectrogram()(EXPECTED["waveform"], SAMPLES)
    inputs = branch.bn_freq(spectrogram.transpose(1, 2)).transpose(1, 2)[:, None]
    same("stem_conv_out", branch.stem[0](inputs)[:1, :, ::2, ::4].permute(0, 2, 3, 1))
    same("stem_pool_out", branch.stem(inputs)[:1, :, :, ::4].permute(0, 2, 3, 1))
    same("flattened_after_time_pool", branch.flattened(spectrogram))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@torch.no_grad()
def test_embeddings_of_stored_rows(network: DualBranchCnn, dtype: torch.dtype) -> None:
    """The row that a feature table holds, in either precision, is as good as the waveform."""
    rows = DualViewRow()(EXPECTED["waveform"], SAMPLES).to(dtype).float()
    spectrogram, spectrum = network.view.views(rows)
    same("embedding_spectrum", network.spectrum(spectrum))
    same("embedding_spectrogram", network.spectrogram(spectrogram))
    same("embedding", torch.cat([network.spectrum(spectrum), network.spectrogram(spectrogram)], 1))
