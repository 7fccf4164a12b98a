"""Parity with the official BEATs: all stages of a tiny model, padding, gradients, buckets and checkpoint keys."""

import csv
import re
from typing import Any

import torch
from helpers.golden import Golden, golden
from helpers.second_golden import Tensors, fewer, goldens, repeat
from torch import Tensor, nn

from asdlib.frontends.fbank import Fbank
from asdlib.layers.encoders.beats import MEAN, STD, Beats, all_padding, distance_buckets
from asdlib.models.beats_classifier import BeatsClassifier
from asdlib.weights.published.beats import FIRST, SETTINGS, TABLE, encoder_weights

SIZES = {"conv_bias", "conv_pos", "conv_pos_groups", "num_buckets", "max_distance"}  # the SETTINGS that may differ


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; replace the grouped positional kernel by an equal one without groups, padded with zeros."""
    shared = ("position_bias", "bucket_")
    repeat(io, [name for name in io if not name.startswith(("grad", *shared))])
    for name in [name for name in io if name.startswith("grad")]:
        io[name] = 2 * io[name]  # gradients of a sum over the batch
        if "pos_conv" in name:
            del io[name]
    fewer(io, "grad.")
    cfg = config["cfg"]
    kernel = weights["encoder.pos_conv.0.weight_v"]
    parts = kernel.chunk(cfg["conv_pos_groups"])
    wide = torch.zeros(len(kernel), len(kernel), kernel.shape[2])
    for number, part in enumerate(parts):
        rows, columns = (slice(number * size, (number + 1) * size) for size in part.shape[:2])
        wide[rows, columns] = part
    weights["encoder.pos_conv.0.weight_v"] = nn.functional.pad(wide, (2, 2), value=1.0)  # its norm must not be 0
    weights["encoder.pos_conv.0.weight_g"] = nn.functional.pad(weights["encoder.pos_conv.0.weight_g"], (2, 2))
    cfg |= {"conv_pos": cfg["conv_pos"] + 4, "conv_pos_groups": 1}


case = goldens("beats_tiny", second=second)


def tiny(case: Golden, gradient_decay: float | None = None, **drops: float) -> Beats:
    """Return the golden's network, built from its config and with its weights, loaded strictly."""
    given = case.sizes
    assert {name: given[name] for name in SETTINGS if name not in SIZES} == {
        name: value for name, value in SETTINGS.items() if name not in SIZES
    }
    network = Beats(
        width=given["encoder_embed_dim"],
        depth=given["encoder_layers"],
        heads=given["encoder_attention_heads"],
        hidden=given["encoder_ffn_embed_dim"],
        patch_width=given["embed_dim"],
        buckets=given["num_buckets"],
        max_distance=given["max_distance"],
        gradient_decay=given["layer_wise_gradient_decay_ratio"] if gradient_decay is None else gradient_decay,
        position_kernel=given["conv_pos"],
        position_groups=given["conv_pos_groups"],
        patch_bias=given["conv_bias"],
        **drops,
    )
    network.load_state_dict(encoder_weights(case.folder, case.weights), strict=True)
    return network.eval()


def inputs(case: Golden) -> tuple[Tensor, Tensor]:
    """Return the log-mel before its normalisation, and the number of frames, all of which are real."""
    fbank = case.io["fbank"]
    return fbank * (2 * STD) + MEAN, torch.full((len(fbank),), fbank.shape[1])


def check_probabilities(case: Golden, features: Tensor, padding: Tensor, name: str) -> None:
    """Compare the probabilities of the official classifier, if there is one: from the mean logits of real tokens."""
    if case.sizes["finetuned_model"]:
        real = ~padding[:, :, None]
        logits = features @ case.weights["predictor.weight"].T + case.weights["predictor.bias"]
        close(case, ((logits * real).sum(1) / real.sum(1)).sigmoid(), name)


def gradients(case: Golden, network: Beats) -> dict[str, Tensor]:
    features, _ = network(*inputs(case))
    (features * case.io["probe"]).sum().backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def close(case: Golden, ours: Tensor, name: str, atol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, case.io[name], rtol=0, atol=atol, msg=lambda text: f"{name}: {text}")


def close_gradient(ours: Tensor, theirs: Tensor) -> None:
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@torch.no_grad()
def test_every_stage(case: Golden) -> None:
    network, seen = tiny(case), {}
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
    features, padding = network(*inputs(case))
    seen["patch_embed"] = seen["patch_embed"].flatten(2).transpose(1, 2)
    seen["pos_conv"] = seen["pos_conv"].transpose(1, 2)
    if isinstance(network.post_extract_proj, nn.Identity):
        del seen["projected"]
    for name, output in seen.items():
        close(case, output, name)
    close(case, features, "features")
    check_probabilities(case, features, padding, "probs")


@torch.no_grad()
def test_from_the_waveform(case: Golden) -> None:
    log_mel = Fbank("povey", scale=32768.0, remove_mean=False, mean=0.0, std=0.5)(case.io["waveform"])
    close(case, tiny(case)(log_mel, inputs(case)[1])[0], "features", atol=2e-4)


@torch.no_grad()
def test_padding(case: Golden) -> None:
    log_mel, _ = inputs(case)
    tokens = case.io["padding_mask_tokens"].bool()
    frames = all_padding(case.io["padding_mask"].bool(), log_mel.shape[1])
    assert torch.equal(all_padding(frames, tokens.shape[1]), tokens)
    features, padding = tiny(case)(log_mel, (~frames).sum(1))
    assert torch.equal(padding, tokens)
    close(case, features, "features_masked")
    check_probabilities(case, features, padding, "probs_masked")


@torch.no_grad()
def test_the_position_bias_is_exact(case: Golden) -> None:
    tokens = case.io["features"].shape[1]
    assert torch.equal(tiny(case).encoder.position_bias(tokens), case.io["position_bias"])


def test_the_buckets_are_exact(case: Golden) -> None:
    """The name of a table has the number of buckets, the largest distance and the range of relative positions."""
    tables = case.stored("bucket_")
    for name, theirs in tables.items():
        buckets, largest, first, last = map(int, re.fullmatch(r"(\d+)_(\d+)_rel_(-?\d+)_to_(-?\d+)", name).groups())
        assert torch.equal(distance_buckets(torch.arange(first, last + 1), buckets, largest), theirs.long())


def test_gradients(case: Golden) -> None:
    ours = gradients(case, tiny(case))
    for name, theirs in case.stored("grad.").items():
        close_gradient(ours[FIRST if name.endswith(TABLE) else name], theirs)


def test_the_gradient_decays_layer_by_layer(case: Golden) -> None:
    for name, theirs in case.stored("grad_decay").items():
        decay, parameter = re.fullmatch(r"(\d+(?:\.\d+)?)\.(.+)", name).groups()
        close_gradient(gradients(case, tiny(case, float(decay)))[parameter], theirs)


@torch.no_grad()
def test_dropout_is_of_the_training_and_a_dropped_layer_is_left_out(case: Golden) -> None:
    """In evaluation mode the network is the official one; without any layer, its output is what enters the first."""
    given, plain, entered = inputs(case), tiny(case), []
    plain.encoder.layers[0].register_forward_pre_hook(lambda _, tokens: entered.append(tokens[0]))
    official, _ = plain(*given)
    dropping, bare = tiny(case, dropout=0.5), tiny(case, layer_drop=1.0)
    assert torch.equal(dropping(*given)[0], official)
    assert torch.equal(bare(*given)[0], official)
    assert torch.equal(bare.train()(*given)[0], entered[0])
    torch.manual_seed(0)
    first, again = (dropping.train()(*given)[0] for _ in range(2))
    assert not torch.allclose(first, again)
    places = [part for part in dropping.modules() if hasattr(part, "dropout")]
    assert len(places) == 2 + 2 * len(dropping.encoder.layers)  # tokens twice, and those and the weights of each layer
    for place in places:  # each has its own
        for part in places:
            part.dropout = 0.5 if part is place else 0.0
        first, again = (dropping(*given)[0] for _ in range(2))
        assert not torch.allclose(first, again), type(place)


def test_the_public_checkpoints_names_and_shapes_are_the_default_models() -> None:
    """The checkpoint repeats the table of the position bias, which all layers share, for each layer."""
    with golden("keys/beats_iter3.csv").open(newline="") as handle:
        shapes = {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(handle)}
    with torch.device("meta"):
        ours, classifier = (
            {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
            for encoder in (Beats(), BeatsClassifier(False).encoder)
        )
    assert FIRST in shapes
    assert classifier == ours
    assert ours == {name: shape for name, shape in shapes.items() if name == FIRST or not name.endswith(TABLE)}
