"""Parity with asteroid's Conv-TasNet: encoder, masks, estimates and single-source loss, from its own weights."""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.separation.estimates import si_sdr
from asdlib.separation.mixtures import Mixtures
from asdlib.separators.conv_tasnet import ConvTasNet

FOLDER = golden("conv_tasnet_tiny")
CONFIG = json.loads((FOLDER / "config.json").read_text())
THEIRS = load_file(FOLDER / "io.safetensors")
close = {"atol": CONFIG["tolerance"]["atol"], "rtol": CONFIG["tolerance"]["rtol"]}


@pytest.fixture(scope="module")
def network() -> ConvTasNet:
    """The golden's network: its sizes, its weights by their published names."""
    fixed = {"n_src": 2, "norm_type": "gLN"}  # what ours sets itself: two sources; gLN unless causal
    assert fixed.items() <= CONFIG["hyperparameters"].items()
    built = ConvTasNet(**{name: value for name, value in CONFIG["hyperparameters"].items() if name not in fixed})
    built.network.load_state_dict(load_file(FOLDER / "weights.safetensors"), strict=True)
    return built.eval()


def test_encoder_masks_and_estimates(network: ConvTasNet) -> None:
    with torch.no_grad():
        encoded = network.network.forward_encoder(THEIRS["mixture"][:, None])
        masks = network.network.forward_masker(encoded)
        estimate = network(THEIRS["mixture"])
    torch.testing.assert_close(encoded, THEIRS["encoder_out"], **close)
    torch.testing.assert_close(masks, THEIRS["mask"], **close)
    torch.testing.assert_close(estimate, THEIRS["estimate"], **close)


def test_the_loss_is_the_mean_over_streams_in_fixed_order(network: ConvTasNet) -> None:
    in_order = THEIRS["pairwise_neg_sisdr"].diagonal(dim1=1, dim2=2)  # (B, source)
    with torch.no_grad():
        ours = network.loss(Mixtures(THEIRS["mixture"], THEIRS["target"]))
    torch.testing.assert_close(ours, in_order.mean(), **close)


def test_si_sdr_is_that_of_the_loss() -> None:
    ours = si_sdr(THEIRS["estimate"][:, 0], THEIRS["target"][:, 0])
    torch.testing.assert_close(-ours, THEIRS["singlesrc_neg_sisdr_src0"], **close)
