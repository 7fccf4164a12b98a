"""AudioMAE against the official code: encoder, decoder, losses, gradients, fine-tuning head, the key lists.

Not built, because no system needs it, and so not compared: the contextual embedding (a mean over several blocks), the
decoder of plain ViT blocks (decoder_mode 0), and 2-D masking as a part of the model. That the encoder and the decoder
take such masks is shown here with the library's own sampler of rows and columns.
"""

import csv
import json
from pathlib import Path

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch import Tensor

from asdlib.examples.clips import Batch
from asdlib.frontends.fbank import Fbank
from asdlib.layers.encoders.audiomae import normalised
from asdlib.layers.masking import keep_smallest, removed
from asdlib.layers.patches import patchify
from asdlib.models.audiomae_classifier import AudioMaeClassifier
from asdlib.models.audiomae_decoder import MaskedAutoencoder, masked_error

FOLDER = golden("audiomae_tiny")
CFG = json.loads((FOLDER / "config.json").read_text())["cfg"]
IO = load_file(FOLDER / "io.safetensors")
WEIGHTS = load_file(FOLDER / "weights.safetensors")
SPECTROGRAMS = IO["input"][:, 0]
# name of the stored loss: squared, per_patch_norm
LOSSES = {"loss_norm_pix": (True, True), "loss_plain": (True, False), "derived_loss_l1_plain": (False, False)}
GRADIENTS = sorted(name.removeprefix("grad.") for name in IO if name.startswith("grad."))


def part(prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in WEIGHTS.items() if name.startswith(prefix)}


def tiny() -> MaskedAutoencoder:
    """The golden's network, built from its config and loaded strictly."""
    sizes = (CFG["embed_dim"], CFG["depth"], CFG["num_heads"], CFG["decoder_embed_dim"], CFG["decoder_num_heads"])
    network = MaskedAutoencoder(*sizes)
    network.load_state_dict(part("model."), strict=True)
    return network.eval()


def random_visible() -> Tensor:
    """The tokens that the stored noise keeps, in the official, shuffled order."""
    return keep_smallest(IO["noise"], int(512 * (1 - CFG["mask_ratio"])))


def visible_rows_and_columns() -> Tensor:
    """The tokens where a row and a column meet that the stored noises keep, in ascending order."""
    rows, columns = kept_lines("t"), kept_lines("f")
    return (rows[:, :, None] * 8 + columns[:, None, :]).flatten(1)


def kept_lines(axis: str) -> Tensor:
    noise = IO[f"noise_{axis}"]
    return keep_smallest(noise, int(noise.shape[1] * (1 - CFG[f"mask_{axis}_prob"]))).sort(1).values


def close(ours: Tensor, name: str, atol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, IO[name], rtol=0, atol=atol)


def test_the_fixed_positions_are_the_public_ones_with_their_quirk() -> None:
    sizes = (CFG["embed_dim"], CFG["depth"], CFG["num_heads"], CFG["decoder_embed_dim"], CFG["decoder_num_heads"])
    fresh = MaskedAutoencoder(*sizes)
    for name in ("pos_embed", "decoder_pos_embed"):
        torch.testing.assert_close(fresh.state_dict()[name], part("model.")[name], rtol=0, atol=1e-6)


def test_the_input_is_padded_and_normalised_as_officially() -> None:
    log_mel = Fbank(mean=0.0, std=0.5)(IO["waveform"][None])
    torch.testing.assert_close(log_mel[0], IO["fbank_raw"], rtol=0, atol=2e-3)  # the official code's own rounding
    raw, frames = IO["fbank_raw"][None], torch.tensor([log_mel.shape[1]])
    torch.testing.assert_close(normalised(raw, frames)[0], SPECTROGRAMS[0], rtol=0, atol=1e-6)


@torch.no_grad()
def test_patches() -> None:
    close(tiny().patch_embed(SPECTROGRAMS), "patch_embed")
    assert torch.equal(patchify(SPECTROGRAMS)[:, :16], IO["patchify"])


def test_the_masks() -> None:
    assert torch.equal(removed(random_visible(), 512), IO["mask"].bool())
    assert torch.equal(removed(visible_rows_and_columns(), 512), IO["mask_2d"].bool())


@torch.no_grad()
def test_encoder_and_decoder() -> None:
    network, seen = tiny(), {}
    network.decoder_blocks[1].register_forward_hook(lambda _, __, output: seen.update(shifted=output))
    latent = network.encode(SPECTROGRAMS, random_visible())
    close(latent, "latent")
    prediction = network.decode(latent, random_visible())
    close(seen["shifted"][-1:].flatten(1, 2), "decoder_block_1", atol=2e-5)
    close(prediction[-1:], "pred")


@torch.no_grad()
def test_without_the_shift_mask_the_shifted_block_is_another() -> None:
    """The loss would hardly show it."""
    network, seen = tiny(), {}
    network.decoder_blocks[1].mask.zero_()
    network.decoder_blocks[1].register_forward_hook(lambda _, __, output: seen.update(shifted=output))
    network.decode(network.encode(SPECTROGRAMS, random_visible()), random_visible())
    assert (seen["shifted"][-1:].flatten(1, 2) - IO["decoder_block_1"]).abs().max() > 0.1


@torch.no_grad()
def test_visible_rows_and_columns() -> None:
    network, visible = tiny(), visible_rows_and_columns()
    latent = network.encode(SPECTROGRAMS, visible)
    close(latent, "latent_2d")
    error = masked_error(network.decode(latent, visible), patchify(SPECTROGRAMS), removed(visible, 512), True, True)
    torch.testing.assert_close(error, IO["loss_norm_pix_2d"], rtol=1e-5, atol=0)


@torch.no_grad()
def test_all_tokens() -> None:
    close(tiny().encode(SPECTROGRAMS), "encoder_tokens_normed")


@pytest.fixture(scope="module")
def prediction() -> Tensor:
    network = tiny()
    return network.decode(network.encode(SPECTROGRAMS, random_visible()), random_visible())


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, prediction: Tensor) -> None:
    error = masked_error(prediction, patchify(SPECTROGRAMS), IO["mask"].bool(), *LOSSES[name])
    torch.testing.assert_close(error, IO[name], rtol=1e-5, atol=0)


@pytest.fixture(scope="module")
def gradients() -> dict[str, Tensor]:
    network = tiny()
    prediction = network.decode(network.encode(SPECTROGRAMS, random_visible()), random_visible())
    masked_error(prediction, patchify(SPECTROGRAMS), IO["mask"].bool(), True, True).backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str, gradients: dict[str, Tensor]) -> None:
    theirs = IO[f"grad.{name}"]
    assert (gradients[name] - theirs).abs().max() <= 1e-3 * theirs.abs().max()


@torch.no_grad()
def test_the_fine_tuning_head(tmp_path: Path) -> None:
    """From the spectrogram before its normalisation, as the model gets it; padding is part of the first."""
    torch.save({"model": {**part("model."), **part("finetune.")}}, tmp_path / "finetuned.pth")
    network = AudioMaeClassifier(False, width=CFG["embed_dim"], depth=CFG["depth"], heads=CFG["num_heads"]).eval()
    network.start_from_public(tmp_path / "finetuned.pth")
    network.grow({"classes": list(map(str, range(CFG["num_classes"])))})
    network.take_head(part("finetune."), network.classes)
    log_mel = SPECTROGRAMS * (2 * 4.5689974) - 4.2677393
    pooled = network.embedding(Batch(log_mel, torch.full((2,), 1024), torch.zeros(2, dtype=torch.bool)))
    close(pooled, "finetune_pooled")
    close(network.head(pooled), "finetune_logits")


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    with golden(f"keys/{name}.csv").open(newline="") as handle:
        return {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(handle)}


def test_the_public_checkpoints_names_and_shapes_are_the_default_models() -> None:
    with torch.device("meta"):
        whole, classifier = MaskedAutoencoder().state_dict(), AudioMaeClassifier(False)
        classifier.grow({"classes": list(map(str, range(527)))})
    assert {name: tuple(tensor.shape) for name, tensor in whole.items()} == shapes("audiomae_vit_base")
    assert sum(tensor.numel() for tensor in whole.values()) == 136_992_768
    ours = {name.removeprefix("encoder."): tuple(tensor.shape) for name, tensor in classifier.state_dict().items()}
    assert ours == shapes("audiomae_vit_base_finetuned")
