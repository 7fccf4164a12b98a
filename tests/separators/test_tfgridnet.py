"""Tests of TF-GridNet; parity with ESPnet is tested in tests/parity."""

from pathlib import Path

import pytest
import torch
from helpers.separation_toys import RATE, check_that_it_learns

from asdlib.errors import AsdError
from asdlib.losses.hybrid_continuity import hybrid_continuity_terms
from asdlib.separation.levels import at_unit_level
from asdlib.separation.mixtures import Mixtures
from asdlib.separators.tfgridnet import TFGridNet
from asdlib.separators.tfgridnet_layers import GridNetBlock, HeadNorm
from asdlib.training.settings import Training

TINY = {
    "n_fft": 128, "hop": 64, "blocks": 1, "channels": 8, "lstm_hidden": 16, "heads": 2, "attention_size": 130,
    "sample_rate": RATE,
}  # fmt: skip


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 0.1


@pytest.fixture
def network() -> TFGridNet:
    torch.manual_seed(0)
    return TFGridNet(**TINY)


# Millions of parameters: published for two sources (ESPnet), counted by us for one.
@pytest.mark.parametrize(
    ("sizes", "millions"),
    [
        ({"sources": 2, "n_fft": 128, "hop": 64, "blocks": 6, "channels": 48, "stride": 1, "lstm_hidden": 192}, 8.18),
        ({}, 1.76),
        ({"blocks": 3, "channels": 24, "stride": 2, "lstm_hidden": 64}, 0.68),
    ],
)
def test_sizes_are_the_published_ones(sizes: dict, millions: float) -> None:
    with torch.device("meta"):
        network = TFGridNet(**sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": 3}, "sources 3: use 1"),
        ({"heads": 3}, "heads 3: give a divisor of the 8"),
        ({"kernel": 2, "stride": 4}, "stride 4: give 1 to 2"),
    ],
)
def test_impossible_sizes_are_refused(change: dict, message: str) -> None:
    with pytest.raises(AsdError, match=f"separator tfgridnet: {message}"):
        TFGridNet(**{**TINY, **change})


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (4, 1), (4, 2), (4, 3), (4, 4)])
@pytest.mark.parametrize(("frames", "bins"), [(1, 5), (7, 9), (10, 17)])
def test_every_bin_and_frame_is_in_some_window(kernel: int, stride: int, frames: int, bins: int) -> None:
    torch.manual_seed(0)
    block = GridNetBlock(4, kernel, stride, 6, 2, 2, bins).double()  # distant effects are tiny
    block.attend = torch.zeros_like  # attention alone would reach everything
    grid = noise(1, 4, frames, bins).double()
    result = block(grid)
    assert result.shape == grid.shape
    changed = grid.clone()
    changed[0, 0, -1, -1] += 1.0
    reached = (block(changed) - result)[0].abs().amax(0) > 0  # (frames, bins)
    assert reached[-1].all()  # the frequency path reaches all bins of the frame
    assert reached[:, -1].all()  # the time path reaches all frames of the bin
    assert reached.all()


@torch.no_grad()
def test_heads_are_normalised_frame_by_frame() -> None:
    torch.manual_seed(0)
    vectors = HeadNorm(2, 3, 9)(noise(4, 6, 5, 9))
    assert vectors.shape == (4, 2, 5, 27)
    torch.testing.assert_close(vectors.mean(-1), torch.zeros(4, 2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(vectors.var(-1, correction=0), torch.ones(4, 2, 5), atol=1e-2, rtol=0)


@torch.no_grad()
def test_a_louder_mixture_gives_a_louder_estimate_and_nothing_else(network: TFGridNet) -> None:
    mixture = noise(2, 1000)
    torch.testing.assert_close(network(8 * mixture), 8 * network(mixture))


@torch.no_grad()
def test_a_constant_clip_stays_finite(network: TFGridNet) -> None:
    assert network.separate(torch.full((1, 1000), 0.5)).isfinite().all()


@torch.no_grad()
def test_the_loss_is_the_sources_sum_in_fixed_order_at_the_mixtures_level() -> None:
    torch.manual_seed(0)
    network = TFGridNet(**TINY, sources=2, gamma=0.5, per_item=True)
    sources = noise(2, 2, 2000)
    given = Mixtures(sources.sum(1), sources)
    scaled = at_unit_level(given)
    estimates = network(scaled.mixture)
    each = [sum(hybrid_continuity_terms(estimates[:, s], scaled.sources[:, s], 0.5, True).values()) for s in (0, 1)]
    torch.testing.assert_close(network.loss(given), each[0] + each[1])
    assert network.terms(given).keys() == {"si_snr", "spectral"}
    torch.testing.assert_close(sum(network.terms(given).values()), network.loss(given))
    louder = Mixtures(20 * given.mixture, 20 * given.sources)
    torch.testing.assert_close(network.loss(louder), network.loss(given))


def test_training_improves_the_si_sdr_of_held_out_mixtures(tmp_path: Path, network: TFGridNet) -> None:
    settings = Training(epochs=3, batch_size=8, learning_rate=0.02, clip_norm=5.0)
    check_that_it_learns(network, settings, tmp_path, improvement=4.0)  # 7.3 dB when this was written
