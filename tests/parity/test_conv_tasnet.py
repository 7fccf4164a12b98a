"""Parity with asteroid's Conv-TasNet, with its weights: encoder, masks, estimates and single-source loss."""

import re
from typing import Any

import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens

from asdlib.separation.estimates import si_sdr
from asdlib.separation.mixtures import Mixtures
from asdlib.separators.conv_tasnet import ConvTasNet


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Compute the outputs of a causal network of other sizes on another batch with asteroid, which is installed."""
    from asteroid.losses import pairwise_neg_sisdr, singlesrc_neg_sisdr
    from asteroid.models import ConvTasNet as Asteroid

    sizes = {"kernel_size": 20, "stride": 10, "n_blocks": 2, "causal": True, "norm_type": "cgLN", "mask_act": "sigmoid"}
    config["hyperparameters"] |= sizes
    torch.manual_seed(0)
    reference = Asteroid(**config["hyperparameters"]).eval()
    mixture, target = torch.randn(3, 777), torch.randn(3, config["hyperparameters"]["n_src"], 777)
    with torch.no_grad():
        encoded = reference.forward_encoder(mixture[:, None])
        estimate = reference(mixture)
        outputs = {"mask": reference.forward_masker(encoded), "encoder_out": encoded, "estimate": estimate}
    io.clear()
    io.update(outputs, mixture=mixture, target=target, pairwise_neg_sisdr=pairwise_neg_sisdr(estimate, target))
    last = target.shape[1] - 1
    io[f"singlesrc_neg_sisdr_src{last}"] = singlesrc_neg_sisdr(estimate[:, last], target[:, last])
    weights.clear()
    weights.update(reference.state_dict())


case = goldens("conv_tasnet_tiny", second=second)


def tiny(case: Golden) -> ConvTasNet:
    """Return the golden's network with its weights, loaded strictly under their published names."""
    sizes = {{"n_src": "sources", "norm_type": "norm"}.get(name, name): value for name, value in case.sizes.items()}
    built = ConvTasNet(**sizes)
    built.network.load_state_dict(case.weights, strict=True)
    return built.eval()


@torch.no_grad()
def test_encoder_masks_and_estimates(case: Golden) -> None:
    network = tiny(case)
    encoded = network.network.forward_encoder(case.io["mixture"][:, None])
    torch.testing.assert_close(encoded, case.io["encoder_out"], **case.tolerance)
    torch.testing.assert_close(network.network.forward_masker(encoded), case.io["mask"], **case.tolerance)
    torch.testing.assert_close(network(case.io["mixture"]), case.io["estimate"], **case.tolerance)


@torch.no_grad()
def test_the_loss_is_the_mean_over_streams_in_fixed_order(case: Golden) -> None:
    in_order = case.io["pairwise_neg_sisdr"].diagonal(dim1=1, dim2=2)  # (B, source)
    ours = tiny(case).loss(Mixtures(case.io["mixture"], case.io["target"]))
    torch.testing.assert_close(ours, in_order.mean(), **case.tolerance)


def test_si_sdr_is_that_of_the_loss(case: Golden) -> None:
    for name, theirs in case.stored("singlesrc_neg_sisdr_").items():
        source = int(re.fullmatch(r"src(\d+)", name)[1])
        ours = si_sdr(case.io["estimate"][:, source], case.io["target"][:, source])
        torch.testing.assert_close(-ours, theirs, **case.tolerance)
