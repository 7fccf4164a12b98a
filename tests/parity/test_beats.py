"""BEATs against the official code: every stage of a tiny model, padding, gradients, the bucket table, the key list."""

import csv
import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch import Tensor

from asdlib.frontends.fbank import Fbank
from asdlib.layers.encoders.beats import MEAN, STD, Beats, all_padding, distance_buckets
from asdlib.weights.published.beats import encoder_weights

FOLDER = golden("beats_tiny")
CFG = json.loads((FOLDER / "config.json").read_text())["cfg"]
IO = load_file(FOLDER / "io.safetensors")
WEIGHTS = load_file(FOLDER / "weights.safetensors")
FRAMES, TOKENS = IO["fbank"].shape[1], IO["features"].shape[1]
LOG_MEL = IO["fbank"] * (2 * STD) + MEAN  # as the frontend gives it
ALL = torch.full((len(LOG_MEL),), FRAMES)
GRADIENTS = sorted(name.removeprefix("grad.") for name in IO if name.startswith("grad."))


def tiny(gradient_decay: float = 1.0) -> Beats:
    """The golden's network, built from its config and loaded strictly."""
    network = Beats(
        width=CFG["encoder_embed_dim"],
        depth=CFG["encoder_layers"],
        heads=CFG["encoder_attention_heads"],
        hidden=CFG["encoder_ffn_embed_dim"],
        patch_width=CFG["embed_dim"],
        buckets=CFG["num_buckets"],
        max_distance=CFG["max_distance"],
        gradient_decay=gradient_decay,
    )
    network.load_state_dict(encoder_weights(FOLDER, WEIGHTS), strict=True)
    return network.eval()


def probabilities(features: Tensor, padding: Tensor) -> Tensor:
    """What the official classifier makes of tokens: the mean of the real ones' logits, as probabilities."""
    real = ~padding[:, :, None]
    logits = features @ WEIGHTS["predictor.weight"].T + WEIGHTS["predictor.bias"]
    return ((logits * real).sum(1) / real.sum(1)).sigmoid()


def gradients(network: Beats) -> dict[str, Tensor]:
    features, _ = network(LOG_MEL, ALL)
    (features * IO["probe"]).sum().backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def close(ours: Tensor, name: str, atol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, IO[name], rtol=0, atol=atol)


@torch.no_grad()
def test_every_stage() -> None:
    network, seen = tiny(), {}
    stages = {
        "patch_embed": network.patch_embedding,
        "patch_norm": network.layer_norm,
        "projected": network.post_extract_proj,
        "pos_conv": network.encoder.pos_conv,
        "encoder_input": network.encoder.layer_norm,
        **{f"layer_{number}": layer for number, layer in enumerate(network.encoder.layers)},
    }
    for name, stage in stages.items():
        stage.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    features, padding = network(LOG_MEL, ALL)
    seen["patch_embed"] = seen["patch_embed"].flatten(2).transpose(1, 2)
    seen["pos_conv"] = seen["pos_conv"].transpose(1, 2)
    for name, output in seen.items():
        close(output, name)
    close(features, "features")
    close(probabilities(features, padding), "probs")


@torch.no_grad()
def test_from_the_waveform() -> None:
    log_mel = Fbank("povey", scale=32768.0, remove_mean=False, mean=0.0, std=0.5)(IO["waveform"])
    close(tiny()(log_mel, ALL)[0], "features", atol=2e-4)


@torch.no_grad()
def test_padding() -> None:
    frames = all_padding(IO["padding_mask"].bool(), FRAMES)
    assert torch.equal(all_padding(frames, TOKENS), IO["padding_mask_tokens"].bool())
    features, padding = tiny()(LOG_MEL, (~frames).sum(1))
    assert torch.equal(padding, IO["padding_mask_tokens"].bool())
    close(features, "features_masked")
    close(probabilities(features, padding), "probs_masked")


@torch.no_grad()
def test_the_position_bias_is_exact() -> None:
    assert torch.equal(tiny().encoder.position_bias(TOKENS), IO["position_bias"])


def test_the_buckets_are_exact() -> None:
    name = "bucket_320_800_rel_-1023_to_1023"
    assert torch.equal(distance_buckets(torch.arange(-1023, 1024), 320, 800), IO[name].long())


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    theirs = IO[f"grad.{name}"]
    assert (gradients(tiny())[name] - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_the_gradient_decays_layer_by_layer() -> None:
    theirs = IO["grad_decay0.6.patch_embedding.weight"]
    ours = gradients(tiny(gradient_decay=0.6))["patch_embedding.weight"]
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_the_public_checkpoints_names_and_shapes_are_the_default_models() -> None:
    """Of the 250 official names, eleven repeat the one table of the position bias."""
    with golden("keys/beats_iter3.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with torch.device("meta"):
        ours = {name: tuple(tensor.shape) for name, tensor in Beats().state_dict().items()}
    shapes = {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in rows}
    repeated = [name for name in shapes if name.endswith("relative_attention_bias.weight")]
    assert len(shapes) == 250
    assert ours == {name: shape for name, shape in shapes.items() if name not in repeated[1:]}
    assert sum(torch.Size(shape).numel() for shape in ours.values()) == 90_311_792
