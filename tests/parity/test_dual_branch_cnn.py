"""Parity with the published dual-branch CNN: both inputs, intermediate feature maps and both embeddings."""

import re
from typing import Any

import pytest
import torch
from helpers.golden import Golden, as_stored
from helpers.second_golden import Tensors, goldens, repeat
from torch import Tensor

from asdlib.frontends.dual_spectra import DualSpectraRow
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum
from asdlib.layers.spectra import magnitude_spectrogram
from asdlib.models.dual_branch_cnn import DualBranchCnn


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch, with fewer stored bins; reverse the order of the embeddings' dimensions."""
    repeat(io, ["waveform", "spectrum", "flattened_after_time_pool"])
    repeat(io, [name for name in io if name.startswith("embedding")])
    io["spectrum"] = io["spectrum"][:, ::2]
    for name in ("magnitude_spectrogram", "spectrogram_after_time_mean_subtraction"):
        io[name] = io[name][:, :, ::3]
    for branch in ("spectrum", "spectrogram"):
        io[f"embedding_{branch}"] = io[f"embedding_{branch}"].flip(1)
        weights[f"{branch}.embedding.weight"] = weights[f"{branch}.embedding.weight"].flip(0)
    io["embedding"] = torch.cat([io["embedding_spectrum"], io["embedding_spectrogram"]], 1)


case = goldens("dual_branch_cnn_tiny", second=second)

# The layers of the spectrum branch: (sequence, index of the first one); the others follow at intervals of three.
FIRST = {"conv": ("convolutions", 0), "se": ("convolutions", 2), "dense": ("dense", 0), "bn": ("dense", 1)}


def own_name(name: str) -> str:
    """Return our name of a published weight."""
    name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
    name = re.sub(r"^spectrum\.(conv|se|dense|bn)(\d+)", _spectrum_layer, name)
    name = re.sub(r"block(\d+)\.unit(\d)", lambda found: f"units.{2 * int(found[1]) + int(found[2]) - 3}", name)
    return name.replace("stem.conv", "stem.0").replace("stem.bn", "stem.1")


def _spectrum_layer(found: re.Match) -> str:
    sequence, first = FIRST[found[1]]
    return f"spectrum.{sequence}.{first + 3 * (int(found[2]) - 1)}"


def tiny(case: Golden) -> DualBranchCnn:
    given = case.sizes
    built = DualBranchCnn(
        samples=given["num_samples"],
        spectrum_channels=given["spectrum_channels"],
        spectrogram_channels=given["spectrogram_channels"],
        dimensions=given["embedding_dim_per_branch"],
        se_ratio=given["se_ratio"],
    )
    weights = {own_name(name): value for name, value in case.weights.items()}
    assert sum(value.numel() for value in weights.values()) == case.config["n_parameters_in_weights_file"]
    counters = {name: value for name, value in built.state_dict().items() if name.endswith("num_batches_tracked")}
    built.load_state_dict(weights | counters, strict=True)
    return built.eval()


def inputs(case: Golden) -> tuple[Tensor, Tensor]:
    """Return the waveforms, and the number of their samples, all of which are real."""
    waveforms = case.io["waveform"]
    return waveforms, torch.full((len(waveforms),), waveforms.shape[1])


def same(case: Golden, name: str, ours: Tensor) -> None:
    """Compare with the stored output, which may have only every n-th item, time or frequency."""
    theirs = case.io[name]
    torch.testing.assert_close(as_stored(ours, theirs), theirs, **case.tolerance, msg=lambda text: f"{name}: {text}")


def test_both_spectra(case: Golden) -> None:
    spectrogram = MagnitudeSpectrogram()
    same(case, "spectrum", MagnitudeSpectrum()(*inputs(case))[:, 0])
    linear = magnitude_spectrogram(case.io["waveform"], spectrogram.n_fft, spectrogram.hop_length)
    same(case, "magnitude_spectrogram", linear)
    same(case, "spectrogram_after_time_mean_subtraction", spectrogram(*inputs(case)))


@torch.no_grad()
def test_the_maps_on_the_way(case: Golden) -> None:
    branch = tiny(case).spectrogram
    spectrogram = MagnitudeSpectrogram()(*inputs(case))
    normalised = branch.bn_freq(spectrogram.transpose(1, 2)).transpose(1, 2)[:, None]
    same(case, "stem_conv_out", branch.stem[0](normalised).permute(0, 2, 3, 1))
    same(case, "stem_pool_out", branch.stem(normalised).permute(0, 2, 3, 1))
    same(case, "flattened_after_time_pool", branch.flattened(spectrogram))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@torch.no_grad()
def test_embeddings_of_stored_rows(case: Golden, dtype: torch.dtype) -> None:
    """The rows of a feature table, in either precision, give the same embeddings as the waveform."""
    network = tiny(case)
    rows = DualSpectraRow()(*inputs(case)).to(dtype).float()
    spectrogram, spectrum = network.layout.spectra(rows)
    parts = network.spectrum(spectrum), network.spectrogram(spectrogram)
    same(case, "embedding_spectrum", parts[0])
    same(case, "embedding_spectrogram", parts[1])
    same(case, "embedding", torch.cat(parts, 1))
