"""Parity with the official DisMAE: latents, masks, decoder, reconstruction, every loss term, gradients.

The golden's images are square and its masks random; masks are given here as the patches that stay.
"""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch.nn import functional

from asdlib.layers.masking import keep_smallest, removed
from asdlib.layers.patches import patchify
from asdlib.models.dismae_domain_head import DomainHead
from asdlib.models.dismae_network import DismaeNetwork

FOLDER = golden("dismae_tiny")
CONFIG = json.loads((FOLDER / "config.json").read_text())
GIVEN = CONFIG["hyperparameters"]
IO = load_file(FOLDER / "io.safetensors")
WEIGHTS = load_file(FOLDER / "weights.safetensors")
UNUSED = ("s_classifier", "d_classifier")  # heads that no loss of the unsupervised setting touches
BRANCHES = {"semantic": GIVEN["mask_ratio"], "variation": GIVEN["mask_ratio"] - 0.10}
ITEMS, DOMAINS = GIVEN["batch_per_domain"], 3
DOMAIN = torch.arange(DOMAINS).repeat_interleave(ITEMS)


def build() -> DismaeNetwork:
    """Build the golden's network and load its weights, without translating a name."""
    side = GIVEN["img_size"] // GIVEN["patch_size"]
    network = DismaeNetwork(
        side, side, GIVEN["patch_size"], GIVEN["embed_dim"], GIVEN["depth"], GIVEN["num_heads"],
        GIVEN["variation_depth"], GIVEN["decoder_embed_dim"], GIVEN["decoder_depth"], GIVEN["decoder_num_heads"],
        GIVEN["mlp_ratio"],
    )  # fmt: skip
    network.reweight_classifier = DomainHead(GIVEN["embed_dim"], DOMAINS, rate=5e-4, momentum=0.99, weight_decay=0.05)
    missing, unexpected = network.load_state_dict(WEIGHTS, strict=False)
    assert all(".velocity_" in name for name in missing)
    tables = {"pos_embed", "decoder_pos_embed"}  # fixed: ours are computed
    assert {name for name in unexpected if not name.startswith(UNUSED)} == tables
    return network


@pytest.fixture(scope="module")
def network() -> DismaeNetwork:
    return build()


def keep(branch: str) -> torch.Tensor:
    """The patches that a branch sees, as the official code draws them from given noise."""
    noise = IO[f"noise_{branch}"]
    return keep_smallest(noise, int(noise.shape[1] * (1 - BRANCHES[branch])))


def images() -> torch.Tensor:
    return IO["images"][:, 0]  # one channel


def latent(network: DismaeNetwork, branch: str) -> torch.Tensor:
    blocks = {"semantic": network.blocks, "variation": network.variation_blocks}[branch]
    return network.encode(network.tokens(images()), keep(branch), blocks)


def terms(network: DismaeNetwork) -> tuple[torch.Tensor, torch.Tensor]:
    patches = patchify(images(), GIVEN["patch_size"])
    real = torch.ones(patches.shape[:2], dtype=torch.bool)
    both = keep("semantic"), keep("variation")
    tokens = network.tokens(images())
    return network.terms(tokens, patches, real, DOMAIN, both, GIVEN["margin"], GIVEN["tau"])


def same(ours: torch.Tensor, name: str) -> None:
    torch.testing.assert_close(ours, IO[name], **CONFIG["tolerance"])


@pytest.mark.parametrize("branch", BRANCHES)
def test_masks(branch: str) -> None:
    assert torch.equal(removed(keep(branch), IO[f"noise_{branch}"].shape[1]).float(), IO[f"mask_{branch}"])


@pytest.mark.parametrize(("ours", "theirs"), [("positions", "pos_embed"), ("decoder_positions", "decoder_pos_embed")])
def test_position_tables(network: DismaeNetwork, ours: str, theirs: str) -> None:
    assert not WEIGHTS[theirs][:, 0].any()  # the CLS token has no position
    torch.testing.assert_close(getattr(network, ours)[None], WEIGHTS[theirs][:, 1:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("branch", BRANCHES)
def test_latents(network: DismaeNetwork, branch: str) -> None:
    same(latent(network, branch), f"latent_{branch}")


def test_decoder_input(network: DismaeNetwork) -> None:
    style = latent(network, "variation")[:, 0]
    same(network.decoder_input(latent(network, "semantic"), keep("semantic"), style), "decoder_input")


def test_reconstruction(network: DismaeNetwork) -> None:
    style = latent(network, "variation")[:, 0]
    same(network.decode(latent(network, "semantic"), keep("semantic"), style), "reconstruction_patches")
    same(patchify(images(), GIVEN["patch_size"]), "target_patches")


def test_swapped_reconstruction(network: DismaeNetwork) -> None:
    """The first clip's semantic tokens with the variation tokens of all clips of its domain."""
    anchor = torch.zeros(ITEMS, dtype=torch.int64)
    style = latent(network, "variation")[:ITEMS, 0]
    swapped = network.decode(latent(network, "semantic")[anchor], keep("semantic")[anchor], style)
    same(swapped, "swapped_reconstruction_anchor0")


def test_domain_head(network: DismaeNetwork) -> None:
    """Its probabilities, and the cross-entropy that it learns from."""
    semantic = latent(network, "semantic")[:, 0]
    logits = network.reweight_classifier(semantic)
    same(logits.softmax(1), "domain_probabilities")
    own = network.reweight_classifier.probability(semantic, DOMAIN)
    torch.testing.assert_close(
        own, IO["domain_probabilities"][torch.arange(len(DOMAIN)), DOMAIN], **CONFIG["tolerance"]
    )
    same(functional.cross_entropy(logits, DOMAIN)[None], "domain_loss")


def test_loss_terms(network: DismaeNetwork) -> None:
    reconstruction, adaptive = terms(network)
    same(reconstruction[None], "recon_loss")
    same(adaptive[None], "adaptive_loss")
    assert GIVEN["lambda_label"] == 0.0
    same((reconstruction + GIVEN["lambda_adaptive"] * adaptive)[None], "total_loss")


def test_the_label_term_that_weighs_nothing(network: DismaeNetwork) -> None:
    """The unused head on our semantic token: nothing that the published loss could need is missing."""
    logits = functional.linear(
        latent(network, "semantic")[:, 0], WEIGHTS["s_classifier.0.weight"], WEIGHTS["s_classifier.0.bias"]
    )
    same(functional.cross_entropy(logits, IO["labels"])[None], "label_loss")


def test_gradients() -> None:
    """Far closer than the golden's tolerance, under which the adaptive term's small share would not be seen."""
    network = build()
    reconstruction, adaptive = terms(network)
    (reconstruction + GIVEN["lambda_adaptive"] * adaptive).backward()
    weights = {"patch_embed_weight": network.patch_embed.proj.weight, "cls_token": network.cls_token,
               "decoder_pred_weight": network.decoder_pred.weight}  # fmt: skip
    for name, weight in weights.items():
        theirs = IO[f"grad_{name}"]
        assert (weight.grad - theirs).abs().max() <= 1e-5 * theirs.abs().max(), name
