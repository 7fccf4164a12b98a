"""Parity with the official DisMAE: latents, masks, decoder, reconstruction, all loss terms and gradients.

The golden's images are square and its masks random; masks are given as the indices of the visible patches.
"""

from typing import Any

import pytest
import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, fewer, goldens
from torch import Tensor
from torch.nn import functional

from asdlib.layers.masking import keep_smallest, removed
from asdlib.layers.patches import patchify
from asdlib.models.dismae_domain_head import DomainHead
from asdlib.models.dismae_network import DismaeNetwork

FIXED = {"in_chans": 1, "norm_pix_loss": False, "linear_label_head": True}  # the official settings that we use
UNUSED = ("s_classifier", "d_classifier")  # heads that no loss of the unsupervised setting touches
BRANCHES = ("semantic", "variation")
SWAPPED = "swapped_reconstruction_anchor0"


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Reverse the order of the domains, except the first, and that of the clips of a domain, except the anchor."""
    items, domains = config["hyperparameters"]["batch_per_domain"], io["domain_probabilities"].shape[1]
    others = torch.tensor([0, *range(items - 1, 0, -1)])
    order = torch.tensor([0, *range(domains - 1, 0, -1)])
    rows = (order[:, None] * items + others).flatten()
    for name in [name for name in io if len(io[name]) == len(rows) and not name.startswith("grad_")]:
        io[name] = io[name][rows]
    io[SWAPPED] = io[SWAPPED][others]
    io["domain_probabilities"] = io["domain_probabilities"][:, order]
    for name in ("reweight_classifier.2.weight", "reweight_classifier.2.bias"):
        weights[name] = weights[name][order]
    fewer(io, "grad_")


case = goldens("dismae_tiny", second=second)


def tiny(case: Golden) -> DismaeNetwork:
    """Return the golden's network with its weights, loaded under their published names."""
    given = case.sizes
    assert {name: given[name] for name in FIXED} == FIXED
    side = given["img_size"] // given["patch_size"]
    network = DismaeNetwork(
        side, side, given["patch_size"], given["embed_dim"], given["depth"], given["num_heads"],
        given["variation_depth"], given["decoder_embed_dim"], given["decoder_depth"], given["decoder_num_heads"],
        given["mlp_ratio"],
    )  # fmt: skip
    domains = case.io["domain_probabilities"].shape[1]
    network.reweight_classifier = DomainHead(given["embed_dim"], domains, rate=5e-4, momentum=0.99, weight_decay=0.05)
    missing, unexpected = network.load_state_dict(case.weights, strict=False)
    assert all(".velocity_" in name for name in missing)
    tables = {"pos_embed", "decoder_pos_embed"}  # fixed tables, which we compute
    assert {name for name in unexpected if not name.startswith(UNUSED)} == tables
    return network


def domain(case: Golden) -> Tensor:
    """Return the domain of each image; the images are ordered by domain."""
    return torch.arange(case.io["domain_probabilities"].shape[1]).repeat_interleave(case.sizes["batch_per_domain"])


def keep(case: Golden, branch: str) -> Tensor:
    """Return the indices of a branch's visible patches, drawn from the stored noise as in the official code."""
    kept = case.io[f"latent_{branch}"].shape[1] - 1  # without the class token
    return keep_smallest(case.io[f"noise_{branch}"], kept)


def images(case: Golden) -> Tensor:
    return case.io["images"][:, 0]  # one channel


def latent(case: Golden, network: DismaeNetwork, branch: str) -> Tensor:
    blocks = {"semantic": network.blocks, "variation": network.variation_blocks}[branch]
    return network.encode(network.tokens(images(case)), keep(case, branch), blocks)


def style(case: Golden, network: DismaeNetwork) -> Tensor:
    return latent(case, network, "variation")[:, 0]


def terms(case: Golden, network: DismaeNetwork) -> tuple[Tensor, Tensor]:
    """Return the reconstruction error and the adaptive term, which decreases with the iterations."""
    given = case.sizes
    patches = patchify(images(case), given["patch_size"])
    real = torch.ones(patches.shape[:2], dtype=torch.bool)
    both = keep(case, "semantic"), keep(case, "variation")
    tokens = network.tokens(images(case))
    units = torch.ones(len(patches))  # the published constants are absolute
    error, adaptive = network.errors(tokens, patches, real, domain(case), both, units, given["margin"], given["tau"])
    return error, adaptive / (given["ada_iter"] + 1)


def label_loss(case: Golden, network: DismaeNetwork) -> Tensor:
    """Return the official label term: the loss of the head, which we do not use, on our semantic token."""
    semantic = latent(case, network, "semantic")[:, 0]
    logits = functional.linear(semantic, case.weights["s_classifier.0.weight"], case.weights["s_classifier.0.bias"])
    return functional.cross_entropy(logits, case.io["labels"])


def total_loss(case: Golden, network: DismaeNetwork) -> Tensor:
    reconstruction, adaptive = terms(case, network)
    weighted = case.sizes["lambda_adaptive"] * adaptive, case.sizes["lambda_label"] * label_loss(case, network)
    return reconstruction + sum(weighted)


def same(case: Golden, ours: Tensor, name: str) -> None:
    torch.testing.assert_close(ours, case.io[name], **case.tolerance, msg=lambda text: f"{name}: {text}")


def test_the_semantic_mask_is_that_of_the_mask_ratio(case: Golden) -> None:
    patches = case.io["noise_semantic"].shape[1]
    assert keep(case, "semantic").shape[1] == int(patches * (1 - case.sizes["mask_ratio"]))


@pytest.mark.parametrize("branch", BRANCHES)
def test_masks(case: Golden, branch: str) -> None:
    theirs = case.io[f"mask_{branch}"]
    assert torch.equal(removed(keep(case, branch), theirs.shape[1]).float(), theirs)


@pytest.mark.parametrize(("ours", "theirs"), [("positions", "pos_embed"), ("decoder_positions", "decoder_pos_embed")])
def test_position_tables(case: Golden, ours: str, theirs: str) -> None:
    table = case.weights[theirs]
    assert not table[:, 0].any()  # the CLS token has no position
    torch.testing.assert_close(getattr(tiny(case), ours)[None], table[:, 1:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("branch", BRANCHES)
def test_latents(case: Golden, branch: str) -> None:
    same(case, latent(case, tiny(case), branch), f"latent_{branch}")


def test_decoder_input(case: Golden) -> None:
    network = tiny(case)
    semantic = latent(case, network, "semantic")
    same(case, network.decoder_input(semantic, keep(case, "semantic"), style(case, network)), "decoder_input")


def test_reconstruction(case: Golden) -> None:
    network = tiny(case)
    found = network.decode(latent(case, network, "semantic"), keep(case, "semantic"), style(case, network))
    same(case, found, "reconstruction_patches")
    same(case, patchify(images(case), case.sizes["patch_size"]), "target_patches")


def test_swapped_reconstruction(case: Golden) -> None:
    """The semantic tokens of the first clip are decoded with the variation tokens of all clips of its domain."""
    network, items = tiny(case), case.sizes["batch_per_domain"]
    anchor = torch.zeros(items, dtype=torch.int64)
    semantic = latent(case, network, "semantic")[anchor]
    same(case, network.decode(semantic, keep(case, "semantic")[anchor], style(case, network)[:items]), SWAPPED)


def test_domain_head(case: Golden) -> None:
    """Its probabilities and its cross-entropy loss are compared."""
    network, domains = tiny(case), domain(case)
    semantic = latent(case, network, "semantic")[:, 0]
    logits = network.reweight_classifier(semantic)
    same(case, logits.softmax(1), "domain_probabilities")
    own = network.reweight_classifier.probability(semantic, domains)
    theirs = case.io["domain_probabilities"][torch.arange(len(domains)), domains]
    torch.testing.assert_close(own, theirs, **case.tolerance)
    same(case, functional.cross_entropy(logits, domains)[None], "domain_loss")


def test_loss_terms(case: Golden) -> None:
    network = tiny(case)
    reconstruction, adaptive = terms(case, network)
    same(case, reconstruction[None], "recon_loss")
    same(case, adaptive[None], "adaptive_loss")
    same(case, label_loss(case, network)[None], "label_loss")
    same(case, total_loss(case, network)[None], "total_loss")


def test_gradients(case: Golden) -> None:
    """The tolerance is much smaller than the golden's, so that the small share of the adaptive term is tested."""
    network = tiny(case)
    total_loss(case, network).backward()
    ours = {name.replace("patch_embed.proj", "patch_embed").replace(".", "_"): parameter.grad
            for name, parameter in network.named_parameters()}  # fmt: skip
    for name, theirs in case.stored("grad_").items():
        assert (ours[name] - theirs).abs().max() <= 1e-5 * theirs.abs().max(), name
