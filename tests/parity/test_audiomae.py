"""Parity with the official AudioMAE: encoder, decoder, losses, gradients, fine-tuning head and checkpoint keys.

Not implemented, because no system needs them, and therefore not compared: the contextual embedding (a mean over several
blocks), the decoder of plain ViT blocks (decoder_mode 0), and 2-D masking inside the model. The encoder and the decoder
are tested with 2-D masks that are made here.
"""

import csv
from pathlib import Path
from typing import Any

import torch
from helpers.golden import Golden, golden
from helpers.second_golden import Tensors, fewer, goldens, repeat
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.frontends.fbank import Fbank
from asdlib.layers.encoders.audiomae import BANDS, COLUMNS, FRAMES, MEAN, NORM_EPS, PATCH, STD, TOKENS, normalised
from asdlib.layers.masking import keep_smallest, removed, removed_indices
from asdlib.layers.patches import patchify
from asdlib.models.audiomae_classifier import AudioMaeClassifier
from asdlib.models.audiomae_decoder import MaskedAutoencoder, masked_pixel_error

# Official settings that are fixed in the public code, and the decoder that is implemented.
FIXED = {"img_size": [FRAMES, BANDS], "patch_size": PATCH, "in_chans": 1, "norm_eps": NORM_EPS, "decoder_mode": 1}
# {name of the stored loss: (squared, per_patch_norm)}
LOSSES = {"loss_norm_pix": (True, True), "loss_plain": (True, False), "derived_loss_l1_plain": (False, False)}
BLOCK = "decoder_block_"


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; remove the first class of the head and reverse the order of the others."""
    one = ("waveform", "fbank_raw", "contextual_embedding", "pred", BLOCK)  # stored for a single item only
    repeat(io, [name for name in io if not name.startswith(("grad.", *one)) and "loss" not in name])
    io["finetune_logits"] = io["finetune_logits"][:, 1:].flip(1)
    for name in ("finetune.head.weight", "finetune.head.bias"):
        weights[name] = weights[name][1:].flip(0)
    config["cfg"]["num_classes"] -= 1
    fewer(io, "grad.")


case = goldens("audiomae_tiny", second=second)


def part(case: Golden, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in case.weights.items() if name.startswith(prefix)}


def fresh(case: Golden) -> MaskedAutoencoder:
    """Build the golden's network from its config, with random weights."""
    given = case.sizes
    assert {name: given[name] for name in FIXED} == FIXED
    network = MaskedAutoencoder(
        given["embed_dim"], given["depth"], given["num_heads"], given["decoder_embed_dim"],
        given["decoder_num_heads"], given["mlp_ratio"], not given["no_shift"],
    )  # fmt: skip
    assert {part.eps for part in network.modules() if isinstance(part, nn.LayerNorm)} == {given["norm_eps"]}
    return network


def tiny(case: Golden) -> MaskedAutoencoder:
    """Return the golden's network with its weights, loaded strictly."""
    network = fresh(case)
    network.load_state_dict(part(case, "model."), strict=True)
    return network.eval()


def spectrograms(case: Golden) -> Tensor:
    return case.io["input"][:, 0]


def random_visible(case: Golden) -> Tensor:
    """Return the indices of the tokens that the stored noise keeps, in the official, shuffled order."""
    return keep_smallest(case.io["noise"], int(TOKENS * (1 - case.sizes["mask_ratio"])))


def visible_rows_and_columns(case: Golden) -> Tensor:
    """Return the indices of the tokens in the rows and columns that the stored noise keeps, in ascending order."""
    rows, columns = kept_lines(case, "t"), kept_lines(case, "f")
    return (rows[:, :, None] * COLUMNS + columns[:, None, :]).flatten(1)


def kept_lines(case: Golden, axis: str) -> Tensor:
    noise = case.io[f"noise_{axis}"]
    return keep_smallest(noise, int(noise.shape[1] * (1 - case.sizes[f"mask_{axis}_prob"]))).sort(1).values


def close(case: Golden, ours: Tensor, name: str, atol: float = 1e-5) -> None:
    """Compare with the stored output, which may have only the last items of the batch."""
    theirs = case.io[name]
    torch.testing.assert_close(ours[-len(theirs) :], theirs, rtol=0, atol=atol, msg=lambda text: f"{name}: {text}")


def test_the_fixed_positions_are_the_public_ones_with_their_quirk(case: Golden) -> None:
    ours, theirs = fresh(case).state_dict(), part(case, "model.")
    for name in ("pos_embed", "decoder_pos_embed"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)


def test_the_input_is_padded_and_normalised_as_officially(case: Golden) -> None:
    log_mel = Fbank(mean=0.0, std=0.5)(case.io["waveform"][None])
    theirs = case.io["fbank_raw"]
    torch.testing.assert_close(log_mel[0], theirs, rtol=0, atol=2e-3)  # rounding errors of the official code
    ours = normalised(theirs[None], torch.tensor([len(theirs)]))
    torch.testing.assert_close(ours[0], spectrograms(case)[0], rtol=0, atol=1e-6)


@torch.no_grad()
def test_patches(case: Golden) -> None:
    close(case, tiny(case).patch_embed(spectrograms(case)), "patch_embed")
    theirs = case.io["patchify"]  # only the first patches are stored
    assert torch.equal(patchify(spectrograms(case))[:, : theirs.shape[1]], theirs)


def test_the_masks(case: Golden) -> None:
    assert torch.equal(removed(random_visible(case), TOKENS), case.io["mask"].bool())
    assert torch.equal(removed(visible_rows_and_columns(case), TOKENS), case.io["mask_2d"].bool())


def decoded(case: Golden, network: MaskedAutoencoder) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return the latent and the prediction for random tokens, and the outputs of the stored decoder blocks."""
    seen = {}
    for number in case.stored(BLOCK):
        network.decoder_blocks[int(number)].register_forward_hook(
            lambda _, __, output, number=number: seen.update({BLOCK + number: output.flatten(1, 2)})
        )
    latent = network.encode(spectrograms(case), random_visible(case))
    return latent, network.decode(latent, random_visible(case)), seen


@torch.no_grad()
def test_encoder_and_decoder(case: Golden) -> None:
    latent, prediction, blocks = decoded(case, tiny(case))
    close(case, latent, "latent")
    for name, output in blocks.items():
        close(case, output, name, atol=2e-5)
    close(case, prediction, "pred")


@torch.no_grad()
def test_without_the_shift_mask_the_shifted_blocks_are_others(case: Golden) -> None:
    """The blocks are compared because the loss hardly changes."""
    network = tiny(case)
    shifted = [block for block in network.decoder_blocks if block.mask is not None]
    assert bool(shifted) != case.sizes["no_shift"]
    for block in shifted:
        block.mask.zero_()
    _, _, blocks = decoded(case, network)
    for name, output in blocks.items():
        if network.decoder_blocks[int(name.removeprefix(BLOCK))] in shifted:
            assert (output[-len(case.io[name]) :] - case.io[name]).abs().max() > 1e-3


@torch.no_grad()
def test_visible_rows_and_columns(case: Golden) -> None:
    network, visible = tiny(case), visible_rows_and_columns(case)
    latent = network.encode(spectrograms(case), visible)
    close(case, latent, "latent_2d")
    patches = patchify(spectrograms(case))
    error = masked_pixel_error(network.decode(latent, visible), patches, removed_indices(visible, TOKENS), True, True)
    torch.testing.assert_close(error, case.io["loss_norm_pix_2d"], rtol=1e-5, atol=0)


@torch.no_grad()
def test_all_tokens(case: Golden) -> None:
    close(case, tiny(case).encode(spectrograms(case)), "encoder_tokens_normed")


def loss(case: Golden, prediction: Tensor, name: str) -> Tensor:
    return masked_pixel_error(
        prediction,
        patchify(spectrograms(case)),
        case.io["mask"].nonzero()[:, 1].view(len(case.io["mask"]), -1),
        *LOSSES[name],
    )


def test_losses_and_gradients(case: Golden) -> None:
    network = tiny(case)
    _, prediction, _ = decoded(case, network)
    for name in LOSSES:
        torch.testing.assert_close(loss(case, prediction, name), case.io[name], rtol=1e-5, atol=0)
    loss(case, prediction, "loss_norm_pix").backward()
    ours = {name: parameter.grad for name, parameter in network.named_parameters()}
    for name, theirs in case.stored("grad.").items():
        assert (ours[name] - theirs).abs().max() <= 1e-3 * theirs.abs().max(), name


@torch.no_grad()
def test_the_fine_tuning_head(case: Golden, tmp_path: Path) -> None:
    """The model gets the spectrogram before its normalisation, including the padding."""
    given, finetuned = case.sizes, part(case, "finetune.")
    torch.save({"model": {**part(case, "model."), **finetuned}}, tmp_path / "finetuned.pth")
    network = AudioMaeClassifier(
        False, width=given["embed_dim"], depth=given["depth"], heads=given["num_heads"], mlp_ratio=given["mlp_ratio"]
    ).eval()
    network.start_from_public(tmp_path / "finetuned.pth")
    network.grow({"classes": list(map(str, range(given["num_classes"])))})
    network.take_head(finetuned, network.classes)
    log_mel = spectrograms(case) * (2 * STD) + MEAN
    items = len(log_mel)
    pooled = network.embedding(Batch(log_mel, torch.full((items,), FRAMES), torch.zeros(items, dtype=torch.bool)))
    close(case, pooled, "finetune_pooled")
    close(case, network.head(pooled), "finetune_logits")


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    with golden(f"keys/{name}.csv").open(newline="") as handle:
        return {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(handle)}


def test_the_public_checkpoints_names_and_shapes_are_the_default_models() -> None:
    finetuned = shapes("audiomae_vit_base_finetuned")
    with torch.device("meta"):
        whole, classifier = MaskedAutoencoder().state_dict(), AudioMaeClassifier(False)
        classifier.grow({"classes": list(map(str, range(finetuned["head.bias"][0])))})
    assert {name: tuple(tensor.shape) for name, tensor in whole.items()} == shapes("audiomae_vit_base")
    ours = {name.removeprefix("encoder."): tuple(tensor.shape) for name, tensor in classifier.state_dict().items()}
    assert ours == finetuned
