"""Parity with ESPnet's TF-GridNet: LSTM input, block outputs, estimate and gradient, from its own weights."""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch import Tensor

from asdlib.separators.tfgridnet import TFGridNet

NAMES = {
    "n_srcs": "sources",
    "n_fft": "n_fft",
    "stride": "hop",
    "n_layers": "blocks",
    "lstm_hidden_units": "lstm_hidden",
    "attn_n_head": "heads",
    "attn_approx_qk_dim": "attention_size",
    "emb_dim": "channels",
    "emb_ks": "kernel",
    "emb_hs": "stride",
}
FIXED = {"window": "hann", "n_imics": 1, "activation": "prelu", "eps": 1e-5}


# Overlapping windows (transposed convolution, two sources) and windows side by side (linear layer, one source).
@pytest.fixture(params=["tfgridnet_tiny", "tfgridnet_tiny_linear"])
def reference(request: pytest.FixtureRequest) -> tuple[TFGridNet, dict[str, Tensor], dict[str, float]]:
    """The golden's network with its weights by their published names; its inputs and outputs; its tolerance."""
    folder = golden(request.param)
    config = json.loads((folder / "config.json").read_text())
    sizes = config["hyperparameters"]
    assert {name: sizes[name] for name in sizes if name not in NAMES} == FIXED
    network = TFGridNet(**{NAMES[name]: value for name, value in sizes.items() if name in NAMES})
    network.load_state_dict(load_file(folder / "weights.safetensors"), strict=True)
    return network.eval(), load_file(folder / "io.safetensors"), config["tolerance"]


@torch.no_grad()
def test_features(reference) -> None:
    network, theirs, close = reference
    parts = {
        "input_conv_out": network.conv,
        "block0_out": network.blocks[0],
        "last_block_out": network.blocks[-1],
        "output_deconv_out": network.deconv,
    }
    ours = {}
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: ours.update({name: output}))
    network.blocks[0].intra_rnn.register_forward_pre_hook(lambda _, inputs: ours.update(block0_intra_rnn_in=inputs[0]))
    network(theirs["mixture"])
    for name, output in ours.items():
        torch.testing.assert_close(output, theirs[name], **close, msg=lambda text, name=name: f"{name}: {text}")


def test_estimate_and_gradient(reference) -> None:
    network, theirs, close = reference
    mixture = theirs["mixture"].clone().requires_grad_()
    estimate = network(mixture)
    estimate.square().mean().backward()
    torch.testing.assert_close(estimate, theirs["estimate"], **close)
    # Gradients are 1e-3 at most: the golden's absolute tolerance alone would let any through.
    atol = 1e-4 * float(theirs["grad_input_of_mean_square"].abs().max())
    torch.testing.assert_close(mixture.grad, theirs["grad_input_of_mean_square"], atol=atol, rtol=close["rtol"])
