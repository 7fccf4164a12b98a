"""Parity with the published Noisy-ArcMix, ArcMix and ArcFace: logits, losses and gradients."""

from typing import Any

import pytest
import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens, repeat
from torch import Tensor
from torch.nn.functional import cross_entropy

from asdlib.losses.arcface import ArcFace
from asdlib.losses.noisy_arcmix import NoisyArcMix


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; reverse the order of the classes."""
    sizes = config["hyperparameters"]
    io["labels"] = sizes["num_classes"] - 1 - io["labels"]
    for tensors, name in ((io, "grad_class_weight"), (weights, "weight")):
        tensors[name] = tensors[name].unflatten(0, (-1, sizes["sub"])).flip(0).flatten(0, 1)
    logits = [name for name in io if name.startswith("logits")]
    for name in logits:
        io[name] = io[name].flip(1)
    io["permutation"] = torch.cat([io["permutation"], io["permutation"] + len(io["permutation"])])
    repeat(io, ["features", "labels", "grad_features", "anomaly_score_ce_per_item", *logits])
    io["grad_features"] /= 2  # the gradient of a mean over the batch


case = goldens("noisy_arcmix", second=second)


def built(case: Golden) -> NoisyArcMix:
    sizes = case.sizes
    loss = NoisyArcMix(
        sizes["in_features"], sizes["num_classes"], sizes["s"], sizes["m"], sizes["sub"], sizes["easy_margin"]
    )
    loss.load_state_dict(case.weights, strict=True)
    return loss


def inputs(case: Golden) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return features, labels, the partners' labels, and the share of each clip in its mixture with the partner."""
    labels = case.io["labels"]
    return case.io["features"].clone(), labels, labels[case.io["permutation"]], case.io["lam"][0]


def same(case: Golden, name: str, ours: Tensor) -> None:
    torch.testing.assert_close(ours.reshape(case.io[name].shape), case.io[name], **case.tolerance)


def test_logits_loss_and_gradients(case: Golden) -> None:
    loss, (features, labels, partners, share) = built(case), inputs(case)
    value = loss(features.requires_grad_(), labels, partners, share)
    value.backward()
    same(case, "loss_noisy_arcmix", value)
    same(case, "logits_noisy_arcmix", loss.logits(features, labels))
    same(case, "logits_margin_on_permuted", loss.logits(features, partners))
    same(case, "grad_features", features.grad)
    same(case, "grad_class_weight", loss.weight.grad)


def test_without_mixing_it_is_arcface(case: Golden) -> None:
    loss, (features, labels, partners, _) = built(case), inputs(case)
    same(case, "loss_arcface", loss(features, labels, partners, torch.tensor(1.0)))
    errors = cross_entropy(loss.logits(features, labels), labels, reduction="none")
    same(case, "anomaly_score_ce_per_item", errors)


def test_arcmix_has_a_margin_on_either_class(case: Golden) -> None:
    loss, (features, labels, partners, share) = built(case), inputs(case)
    own, other = (cross_entropy(loss.logits(features, classes), classes) for classes in (labels, partners))
    same(case, "loss_arcmix", share * own + (1 - share) * other)


def test_our_arcface_is_theirs(case: Golden) -> None:
    sizes, (features, labels, _, _) = case.sizes, inputs(case)
    if sizes["sub"] != 1 or sizes["easy_margin"]:
        pytest.skip("our ArcFace has one centre per class and no easy margin")
    loss = ArcFace(sizes["in_features"], sizes["num_classes"], sizes["s"], sizes["m"])
    loss.load_state_dict(case.weights, strict=True)
    same(case, "logits_noisy_arcmix", loss.logits(features, labels))
    same(case, "loss_arcface", loss(features, labels))
