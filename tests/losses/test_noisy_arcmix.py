"""Noisy-ArcMix; parity with the published code is tested in tests/parity."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from asdlib.losses.noisy_arcmix import NoisyArcMix


@pytest.fixture
def loss() -> NoisyArcMix:
    torch.manual_seed(0)
    return NoisyArcMix(dimensions=6, classes=4, centres=2)


EMBEDDINGS = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
LABELS, PARTNERS = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([3, 3, 0, 1, 0])


def test_the_margin_changes_the_true_class_alone_and_makes_it_harder(loss: NoisyArcMix) -> None:
    with_margin = loss.logits(EMBEDDINGS, LABELS)
    loss.margin = 0.0
    without = loss.logits(EMBEDDINGS, LABELS)
    own = torch.nn.functional.one_hot(LABELS, 4).bool()
    torch.testing.assert_close(with_margin[~own], without[~own])
    assert (with_margin[own] < without[own]).all()


def test_the_nearest_centre_of_a_class_counts(loss: NoisyArcMix) -> None:
    with torch.no_grad():
        loss.weight[1] = -EMBEDDINGS[0]  # class 0: one centre in the opposite direction,
        loss.weight[0] = EMBEDDINGS[0]  # one in the same direction
    assert loss.logits(EMBEDDINGS[:1], torch.tensor([1]))[0, 0].item() == pytest.approx(loss.scale, rel=1e-5)


def test_the_share_weighs_the_two_classes_of_the_same_logits(loss: NoisyArcMix) -> None:
    logits = loss.logits(EMBEDDINGS, LABELS)
    own, other = cross_entropy(logits, LABELS), cross_entropy(logits, PARTNERS)
    mixed = loss(EMBEDDINGS, LABELS, PARTNERS, torch.tensor(0.25))
    torch.testing.assert_close(mixed, 0.25 * own + 0.75 * other)


def test_the_logit_falls_with_the_angle_all_the_way() -> None:
    loss = NoisyArcMix(dimensions=2, classes=1)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[1.0, 0.0]]))
    angles = torch.linspace(0.01, math.pi - 0.01, 300)
    logits = loss.logits(torch.stack([angles.cos(), angles.sin()], 1), torch.zeros(300, dtype=torch.int64))
    assert (logits[1:] < logits[:-1]).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradients_are_finite_at_the_ends(loss: NoisyArcMix, sign: float) -> None:
    embeddings = (sign * loss.weight.detach()[:1]).requires_grad_()
    loss(embeddings, LABELS[:1], PARTNERS[:1], torch.tensor(0.5)).backward()
    assert torch.isfinite(embeddings.grad).all()
    assert torch.isfinite(loss.weight.grad).all()


def test_in_bf16_the_gradient_is_finite_at_a_cosine_of_one(loss: NoisyArcMix) -> None:
    """At a cosine that bf16 rounds to 1, the gradient of the angle is infinite."""
    embeddings = loss.weight.detach()[:1].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(embeddings, LABELS[:1], PARTNERS[:1], torch.tensor(0.5))
    torch.testing.assert_close(value, loss(embeddings, LABELS[:1], PARTNERS[:1], torch.tensor(0.5)))
    value.backward()
    assert torch.isfinite(embeddings.grad).all()
    assert torch.isfinite(loss.weight.grad).all()
