"""The parity tests fail if one weight or one output of the golden is changed."""

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.golden import OURS, Golden, golden
from parity import (
    test_audiomae,
    test_beats,
    test_conv_tasnet,
    test_dismae,
    test_dual_branch_cnn,
    test_eat,
    test_fbank,
    test_hybrid_continuity,
    test_noisy_arcmix,
    test_official_metrics,
    test_sepreformer,
    test_sub_cluster_adacos,
    test_tfgridnet,
)

# {golden: (prefix of the name of the tensor to change, test)}
WEIGHTS = {
    "audiomae_tiny": ("model.decoder_blocks.0.mlp.fc1.weight", test_audiomae.test_encoder_and_decoder),
    "beats_tiny": ("encoder.pos_conv.0.weight_v", test_beats.test_every_stage),
    "conv_tasnet_tiny": ("masker.TCN.0.shared_block.0.weight", test_conv_tasnet.test_encoder_masks_and_estimates),
    "dismae_tiny": ("reweight_classifier.0.weight", test_dismae.test_domain_head),
    "dual_branch_cnn_tiny": ("spectrogram.stem.conv.weight", test_dual_branch_cnn.test_the_maps_on_the_way),
    "eat_tiny": ("_ema.blocks.0.mlp.fc1.weight", test_eat.test_a_training_step),
    "noisy_arcmix": ("weight", test_noisy_arcmix.test_logits_loss_and_gradients),
    "sepreformer_tiny": ("separator.simple_fusion.0.weight", test_sepreformer.test_features),
    "sub_cluster_adacos": ("class_weight", test_sub_cluster_adacos.test_two_training_calls),
    "tfgridnet_tiny": ("blocks.0.intra_rnn.weight_hh_l0", test_tfgridnet.test_features),
}
OUTPUTS = {
    "beats_tiny": ("grad_decay", test_beats.test_the_gradient_decays_layer_by_layer),
    "eat_tiny": ("features_len_", test_eat.test_the_encoder_on_other_lengths),
    "fbank": ("beats_norm_", test_fbank.test_the_normalised_log_mel_is_what_beats_sees),
    "hybrid_continuity_loss": ("log_magnitude_per_resolution", test_hybrid_continuity.test_every_resolution),
    "sepreformer_tiny": ("train_grad_mixture", test_sepreformer.test_the_gradient_of_the_whole_loss),
}


# Goldens without a case of their own: masks and mixtures that are drawn, second settings of a golden above, names of
# parameters, our own tables, and the official autoencoder, whose training is compared step by step.
EXEMPT = {"eat_mask", "mixup_statex_featex", "sub_cluster_adacos_one", "tfgridnet_tiny_linear", "keys", "tabulate",
          "official_ae"}  # fmt: skip


def test_every_golden_is_covered_or_exempt() -> None:
    assert {*WEIGHTS, *OUTPUTS, "official_metrics", *EXEMPT} == {path.name for path in OURS.iterdir()}


def change(tensors: dict[str, torch.Tensor], start: str) -> None:
    """Increase the value with the largest magnitude by 10 %, in the first tensor whose name begins with `start`."""
    flat = next(tensor for name, tensor in tensors.items() if name.startswith(start)).flatten()
    flat[flat.abs().argmax()] *= 1.1


def call(test: Callable, case: Golden, folder: Path) -> None:
    given = {"case": case, "tmp_path": folder}
    test(**{name: given[name] for name in inspect.signature(test).parameters})


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_changed_weight_is_noticed(name: str, tmp_path: Path) -> None:
    tensor, test = WEIGHTS[name]
    case = Golden.read(golden(name))
    call(test, case, tmp_path)
    change(case.weights, tensor)
    with pytest.raises(AssertionError):
        call(test, case, tmp_path)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_changed_output_is_noticed(name: str, tmp_path: Path) -> None:
    tensor, test = OUTPUTS[name]
    case = Golden.read(golden(name))
    call(test, case, tmp_path)
    change(case.io, tensor)
    with pytest.raises(AssertionError):
        call(test, case, tmp_path)


def test_a_changed_score_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(golden("official_metrics"), tmp_path / "sets")
    test_official_metrics.test_evaluator(tmp_path / "sets")
    path = next((tmp_path / "sets").glob("*/submission/anomaly_score_*.csv"))
    first, *others = path.read_text().splitlines()
    clip, score = first.split(",")
    path.write_text("\n".join([f"{clip},{float(score) + 100}", *others]) + "\n")
    with pytest.raises(AssertionError):
        test_official_metrics.test_evaluator(tmp_path / "sets")
