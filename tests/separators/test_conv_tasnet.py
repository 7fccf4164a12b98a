"""Tests of Conv-TasNet; parity with asteroid is tested in tests/parity."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from helpers.separation_toys import RATE, check_that_it_learns

from asdlib.errors import AsdError
from asdlib.separators.conv_tasnet import ConvTasNet
from asdlib.training.settings import Training

TINY = {"n_filters": 32, "bn_chan": 16, "hid_chan": 32, "skip_chan": 16, "n_blocks": 4, "n_repeats": 1}


def impulse_response(causal: bool, norm: str | None = None) -> torch.Tensor:
    """Return the change of the machine estimate when one sample of the mixture changes, (samples,)."""
    torch.manual_seed(0)
    network = ConvTasNet(**TINY, causal=causal, norm=norm).eval()
    clip = torch.randn(1, 1600, generator=torch.Generator().manual_seed(2))
    changed = clip.clone()
    changed[0, 800] += 5.0
    with torch.no_grad():
        return (network(changed) - network(clip))[0, 0].abs()


def test_a_causal_network_does_not_see_the_future_and_the_other_does() -> None:
    before = 800 - 16  # the samples of one filter share a frame
    assert not impulse_response(causal=True)[:before].any()
    assert impulse_response(causal=False)[:before].any()
    assert impulse_response(causal=True)[800:].any()


def test_a_causal_network_is_normalised_over_all_that_it_has_heard() -> None:
    """Beyond the reach of the convolutions, only the cumulative norm remembers; cLN, another setting, does not."""
    far = 800 + 8 * 2 * (1 + 2 + 4 + 8) + 32  # all blocks, and the filters of encoder and decoder
    assert impulse_response(causal=True)[far:].any()
    assert not impulse_response(causal=True, norm="cLN")[far:].any()


def test_silence_before_and_after_a_loud_sound_is_separated_into_finite_sound() -> None:
    """The cumulative variance is a difference of two sums, which rounding could make negative."""
    torch.manual_seed(0)
    clip = torch.zeros(1, 160_000)
    clip[0, 60_000:62_000] = 0.9
    clip[0, 100_000:] = 1e-4
    with torch.no_grad():
        assert torch.isfinite(ConvTasNet(**TINY, causal=True).eval()(clip)).all()


def test_examples_of_a_training_are_decoded_without_onednn() -> None:
    """It is slow there, and gives the same sound and gradient."""
    torch.manual_seed(0)
    network, mixture = ConvTasNet(**TINY), torch.randn(4, 1600)
    used = []
    network.network.decoder.register_forward_hook(lambda *_: used.append(torch.backends.mkldnn.enabled))
    found = []
    for training in (True, False):
        network.train(training).zero_grad()  # sets gradients to None, so that those found stay
        sounds = network(mixture)
        sounds.square().sum().backward()
        found.append([sounds.detach(), *[one.grad for one in network.parameters() if one.grad is not None]])
    usual = torch.backends.mkldnn.enabled
    assert used == [False, usual]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "gLN", "causal": True}, "norm gLN sees the whole clip"),
        ({"norm": "BN"}, "norm BN: use gLN, cgLN or cLN"),
    ],
)
def test_impossible_norms_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(AsdError, match=f"separator conv_tasnet: {message}"):
        ConvTasNet(**TINY, **settings)


def test_building_it_warns_of_nothing_and_needs_nothing_that_is_gone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ConvTasNet(**TINY, causal=True)
    assert "torchmetrics" not in sys.modules  # it imports pkg_resources, which setuptools no longer has


def test_the_default_is_the_published_size() -> None:
    parameters = sum(parameter.numel() for parameter in ConvTasNet().parameters())
    assert parameters == pytest.approx(5.05e6, rel=0.005)


def test_three_sources_are_refused() -> None:
    with pytest.raises(AsdError, match=r"separator conv_tasnet: sources 3: use 1 \(machine\) or 2"):
        ConvTasNet(**TINY, sources=3)


@pytest.mark.parametrize(("change", "message"), [({"overlap": 1.0}, "overlap"), ({"window": 0.0}, "window")])
def test_impossible_windows_are_refused(change: dict, message: str) -> None:
    with pytest.raises(AsdError, match=rf"separator: {message}: .*: give"):
        ConvTasNet(**TINY, **change)


def test_training_improves_the_si_sdr_of_held_out_mixtures(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ConvTasNet(**TINY, causal=True, sample_rate=RATE)
    settings = Training(epochs=6, batch_size=8, learning_rate=3e-3, clip_norm=5.0)
    check_that_it_learns(network, settings, tmp_path, improvement=5.0)  # 8 dB when this was written
