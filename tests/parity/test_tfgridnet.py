"""Parity with ESPnet's TF-GridNet, with its weights: LSTM inputs, block outputs, estimate and gradient."""

from typing import Any

import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens, repeat

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
    "eps": "eps",
}
FIXED = {"window": "hann", "n_imics": 1, "activation": "prelu"}  # the settings of ESPnet that the method uses


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; the gradient of the mean square is halved, because there are twice as many samples."""
    repeat(io, list(io))
    io["grad_input_of_mean_square"] /= 2


# Overlapping windows (transposed convolution, two sources) and adjacent windows (linear layer, one source).
case = goldens("tfgridnet_tiny", "tfgridnet_tiny_linear", second=second)


def tiny(case: Golden) -> TFGridNet:
    """Return the golden's network with its weights, loaded strictly under their published names."""
    assert {name: value for name, value in case.sizes.items() if name not in NAMES} == FIXED
    network = TFGridNet(**{NAMES[name]: value for name, value in case.sizes.items() if name in NAMES})
    network.load_state_dict(case.weights, strict=True)
    return network.eval()


@torch.no_grad()
def test_features(case: Golden) -> None:
    network, ours = tiny(case), {}
    parts = {
        "input_conv_out": network.conv,
        "last_block_out": network.blocks[-1],
        "output_deconv_out": network.deconv,
        **{f"block{number}_out": block for number, block in enumerate(network.blocks)},
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: ours.update({name: output}))
    for number, block in enumerate(network.blocks):
        name = f"block{number}_intra_rnn_in"
        block.intra_rnn.register_forward_pre_hook(lambda _, inputs, name=name: ours.update({name: inputs[0]}))
    network(case.io["mixture"])
    compared = case.io.keys() - {"mixture", "estimate", "grad_input_of_mean_square"}
    for name in sorted(compared):
        torch.testing.assert_close(ours[name], case.io[name], **case.tolerance, msg=lambda text, name=name: name + text)


def test_estimate_and_gradient(case: Golden) -> None:
    mixture = case.io["mixture"].clone().requires_grad_()
    estimate = tiny(case)(mixture)
    estimate.square().mean().backward()
    torch.testing.assert_close(estimate, case.io["estimate"], **case.tolerance)
    # Gradients are at most 1e-3, so that the golden's absolute tolerance would accept any.
    theirs = case.io["grad_input_of_mean_square"]
    atol = 1e-4 * float(theirs.abs().max())
    torch.testing.assert_close(mixture.grad, theirs, atol=atol, rtol=case.tolerance["rtol"])
