"""Parity with the published Noisy-ArcMix: logits, loss, gradients, and what ArcMix and ArcFace make of the same."""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from asdlib.losses.noisy_arcmix import NoisyArcMix

FOLDER = golden("noisy_arcmix")
CONFIG = json.loads((FOLDER / "config.json").read_text())
EXPECTED = load_file(FOLDER / "io.safetensors")


@pytest.fixture
def loss() -> NoisyArcMix:
    given = CONFIG["hyperparameters"]
    built = NoisyArcMix(given["in_features"], given["num_classes"], given["s"], given["m"], given["sub"])
    built.load_state_dict(load_file(FOLDER / "weights.safetensors"), strict=True)
    return built


def same(name: str, ours: torch.Tensor) -> None:
    torch.testing.assert_close(ours.reshape(EXPECTED[name].shape), EXPECTED[name], **CONFIG["tolerance"])


def test_logits_loss_and_gradients(loss: NoisyArcMix) -> None:
    features, labels = EXPECTED["features"].requires_grad_(), EXPECTED["labels"]
    partners = labels[EXPECTED["permutation"]]
    value = loss(features, labels, partners, EXPECTED["lam"][0])
    value.backward()
    same("loss_noisy_arcmix", value)
    same("logits_noisy_arcmix", loss.logits(features, labels))
    same("logits_margin_on_permuted", loss.logits(features, partners))
    same("grad_features", features.grad)
    same("grad_class_weight", loss.weight.grad)


def test_without_mixing_it_is_arcface(loss: NoisyArcMix) -> None:
    features, labels = EXPECTED["features"], EXPECTED["labels"]
    partners = labels[EXPECTED["permutation"]]
    same("loss_arcface", loss(features, labels, partners, torch.tensor(1.0)))
    same("anomaly_score_ce_per_item", cross_entropy(loss.logits(features, labels), labels, reduction="none"))


def test_arcmix_has_a_margin_on_either_class(loss: NoisyArcMix) -> None:
    features, labels, share = EXPECTED["features"], EXPECTED["labels"], EXPECTED["lam"][0]
    partners = labels[EXPECTED["permutation"]]
    own, other = (cross_entropy(loss.logits(features, classes), classes) for classes in (labels, partners))
    same("loss_arcmix", share * own + (1 - share) * other)
