"""Parity with the official EAT: encoder, targets, decoder, both losses, their gradients and the EMA.

The masks are tested in test_eat_masks.py, the keys of the published checkpoints in test_eat_keys.py.
"""

import re
from pathlib import Path
from typing import Any

import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, fewer, goldens
from safetensors.torch import save_file
from torch import Tensor

from asdlib.layers.encoders.eat import PATCH, EatEncoder
from asdlib.models.eat import NOISE, Eat, ema_decay
from asdlib.weights.published.eat import read_eat

IMAGE = "modality_encoders.IMAGE."
POSITIONS = IMAGE + "fixed_positional_encoder.positions"
# The settings of data2vec 2.0 that EAT uses.
FIXED = {
    "layer_norm_first": False, "norm_affine": True, "norm_eps": 1e-6, "end_of_block_targets": False,
    "instance_norm_target_layer": True, "layer_norm_target_layer": False, "batch_norm_target_layer": False,
    "layer_norm_targets": True, "instance_norm_targets": False, "loss_beta": 0, "loss_scale": None, "d2v_loss": 1,
    "recon_loss": 0,
}  # fmt: skip
FIXED_IMAGE = {
    "in_chans": 1, "patch_size": PATCH, "prenet_depth": 0, "num_extra_tokens": 1, "use_alibi_encoder": False,
    "inverse_mask": True, "mask_noise_std": NOISE,
}  # fmt: skip
FIXED_DECODER = {
    "add_positions_masked": False, "add_positions_all": False, "decoder_residual": True, "projection_layers": 1,
}  # fmt: skip


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Reverse the order of the clips and their clones; remove unused positions and some stored outputs."""
    once = re.compile("grad|ema_|source_len_|features_len_|waveform|fbank_raw")
    for name in [name for name in io if io[name].dim() and not once.match(name)]:
        io[name] = io[name].flip(0)
    for prefix in ("ffn_", "grad.", "ema_after."):
        fewer(io, prefix)
    rows = max(io[name].shape[2] for name in io if name.startswith("source")) // PATCH
    for name in (POSITIONS, f"_ema.{POSITIONS}"):
        if name in weights:
            weights[name] = weights[name][:, : rows * (io["source"].shape[3] // PATCH)]
    config["cfg"]["modalities"]["image"]["max_length"] = rows


case = goldens("eat_tiny", second=second)


def bands(case: Golden) -> int:
    return case.io["source"].shape[3]


def save_published(case: Golden, folder: Path) -> Path:
    """Save the golden's weights in the layout of fairseq and return the path."""
    teacher = {name.removeprefix("_ema."): value for name, value in case.weights.items() if name.startswith("_ema.")}
    student = {name: value for name, value in case.weights.items() if not name.startswith("_ema.")}
    torch.save({"cfg": {}, "model": {**student, "_ema": teacher}}, folder / "EAT-tiny.pt")
    return folder / "EAT-tiny.pt"


def fresh(case: Golden) -> Eat:
    """Build student, teacher and decoder from the golden's config, with random weights."""
    given, image = case.sizes, case.sizes["modalities"]["image"]
    decoder = image["decoder"]
    for settings, fixed in ((given, FIXED), (image, FIXED_IMAGE), (decoder, FIXED_DECODER)):
        assert {name: settings[name] for name in fixed} == fixed
    return Eat(
        frames=image["target_length"],
        bands=bands(case),
        width=given["embed_dim"],
        depth=given["depth"],
        heads=given["num_heads"],
        decoder_depth=decoder["decoder_layers"],
        decoder_kernel=decoder["decoder_kernel"],
        decoder_groups=decoder["decoder_groups"],
        decoder_width=decoder["decoder_dim"],
        clones=given["clone_batch"],
        mask_ratio=image["mask_prob"],
        utterance_weight=given["cls_loss"],
        ema_decay=given["ema_decay"],
        ema_end_decay=given["ema_end_decay"],
        ema_updates=given["ema_anneal_end_step"],
        mlp_ratio=given["mlp_ratio"],
        target_layers=given["average_top_k_layers"],
    )


def tiny(case: Golden, folder: Path) -> Eat:
    """Return the golden's student, teacher and decoder with their weights."""
    model = fresh(case)
    model.start_from_public(save_published(case, folder))
    return model


def encoder_of(case: Golden) -> EatEncoder:
    """Return an encoder with as many positions as the golden's, with random weights."""
    given = case.sizes
    return EatEncoder(
        given["modalities"]["image"]["max_length"], bands(case) // PATCH, given["embed_dim"], given["depth"],
        given["num_heads"], mlp_ratio=given["mlp_ratio"],
    )  # fmt: skip


def close(case: Golden, ours: Tensor, name: str, atol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, case.io[name], rtol=0, atol=atol, msg=lambda text: f"{name}: {text}")


def visible(case: Golden) -> Tensor:
    """Return the indices of each clone's visible patches, in ascending order."""
    mask = case.io["mask"].bool()
    return (~mask).nonzero()[:, 1].view(len(mask), -1)


@torch.no_grad()
def test_the_encoder(case: Golden, tmp_path: Path) -> None:
    source = case.io["source"].squeeze(1)
    encoder = tiny(case, tmp_path).encoder.eval()
    close(case, encoder.begin(encoder.patches(source)), "encoder_input")
    close(case, encoder(source), "features")
    outputs = encoder.mlp_outputs(source)
    for block, theirs in case.stored("ffn_").items():
        torch.testing.assert_close(outputs[int(block)], theirs[:, 1:], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_encoder_on_other_lengths(case: Golden, tmp_path: Path) -> None:
    encoder = encoder_of(case)
    encoder.load(read_eat(save_published(case, tmp_path)), "checkpoint")
    for length, source in case.stored("source_len_").items():
        close(case, encoder(source.squeeze(1)), f"features_len_{length}")


def test_a_training_step(case: Golden, tmp_path: Path) -> None:
    eat, io = tiny(case, tmp_path), case.io
    source, mask = io["source"].squeeze(1), io["mask"].bool()
    tokens = eat.student(source, visible(case))
    close(case, tokens[:, 0], "cls_pred")
    order = torch.cat([torch.zeros(len(mask), 1, dtype=torch.int64), 1 + io["ids_keep"].argsort(1)], dim=1)
    torch.testing.assert_close(tokens, io["student_visible"].take_along_dim(order[:, :, None], 1), rtol=0, atol=1e-5)

    targets = eat.targets(source)
    close(case, targets, "targets", 2e-5)
    close(case, targets.mean(1), "cls_target", 2e-5)

    dense = torch.where(mask[:, :, None], io["decoder_noise"], 0.0)
    dense[~mask] = tokens[:, 1:].reshape(-1, tokens.shape[2])
    close(case, eat.decoder(dense), "decoder_output")


def test_losses_and_gradients(case: Golden, tmp_path: Path) -> None:
    eat, io = tiny(case, tmp_path), case.io
    frame, utterance = eat.losses(io["source"].squeeze(1), visible(case), io["decoder_noise"])
    utterance = eat.utterance_weight * utterance
    size = io["sample_size"]
    assert size == io["mask"].sum()
    torch.testing.assert_close(frame * size, io["loss_regression_sum"], rtol=1e-5, atol=0)
    torch.testing.assert_close(utterance * size, io["loss_cls_sum"], rtol=1e-5, atol=0)
    torch.testing.assert_close(frame + utterance, io["loss_total"], rtol=1e-5, atol=0)
    (frame + utterance).backward()
    ours = {name: parameter.grad for name, parameter in eat.named_parameters() if parameter.requires_grad}
    for name, theirs in case.stored("grad.").items():
        assert (ours[own_name(name)] - theirs).abs().max() <= 1e-4 * theirs.abs().max(), name


def test_one_step_of_the_teacher(case: Golden, tmp_path: Path) -> None:
    eat = tiny(case, tmp_path)
    eat.after_step(0, 100)
    teacher = eat.teacher.state_dict()
    for name, theirs in case.stored("ema_after.").items():
        torch.testing.assert_close(teacher[own_name(name).removeprefix("encoder.")], theirs, rtol=0, atol=1e-6)


def test_the_teacher_s_schedule(case: Golden) -> None:
    given = case.sizes
    end = given["ema_anneal_end_step"]
    updates = [0, 1, 10, end // 2, end - 1, end, end + 5]
    decays = [ema_decay(update, given["ema_decay"], given["ema_end_decay"], end) for update in updates]
    close(case, torch.tensor(decays, dtype=torch.float64), "ema_decay_schedule", 1e-12)


def test_our_positions_are_the_published_ones_to_their_rounding(case: Golden) -> None:
    torch.testing.assert_close(encoder_of(case).positions, case.weights[POSITIONS], rtol=0, atol=1e-4)


def test_the_hub_s_layout_gives_the_same_encoder(case: Golden, tmp_path: Path) -> None:
    """The hub's file contains only the student, under other names."""
    hub = {}
    for name, tensor in case.weights.items():
        if not name.startswith(("_ema.", IMAGE + "decoder.")):
            hub["model." + name.removeprefix(IMAGE).replace("context_encoder.norm", "pre_norm")] = tensor
    save_file(hub, tmp_path / "model.safetensors")
    ours, other = tiny(case, tmp_path), fresh(case)
    other.start_from_public(tmp_path / "model.safetensors")
    for name, tensor in ours.encoder.state_dict().items():
        assert torch.equal(other.encoder.state_dict()[name], tensor), name
        assert torch.equal(other.teacher.state_dict()[name], tensor), name  # starts as a copy of the student


def own_name(name: str) -> str:
    """Return our name of a published weight."""
    name = name.removeprefix(IMAGE).replace("context_encoder.norm", "pre_norm")
    return name if name.startswith("decoder.") else f"encoder.{name}"
