"""ArcFace: the margin affects only the true class's logit, and the values are those of the reference."""

import math

import pytest
import torch
from torch.nn import functional

from asdlib.losses.arcface import ArcFace, with_margin


def loss(margin: float = 0.5) -> ArcFace:
    torch.manual_seed(0)
    return ArcFace(6, classes=4, margin=margin)


def test_the_margin_changes_only_the_true_class_s_logit() -> None:
    embeddings, labels = torch.randn(32, 6), torch.arange(32) % 4
    plain, with_it = loss(0.0).logits(embeddings, labels), loss(0.5).logits(embeddings, labels)
    own = functional.one_hot(labels, 4).bool()
    torch.testing.assert_close(with_it[~own], plain[~own], rtol=0, atol=0)
    assert (with_it[own] < plain[own]).all()


def test_without_a_margin_it_is_the_cross_entropy_of_scaled_cosines() -> None:
    arcface, embeddings, labels = loss(0.0), torch.randn(8, 6), torch.arange(8) % 4
    cosines = functional.cosine_similarity(embeddings[:, None], arcface.weight[None], dim=2)
    torch.testing.assert_close(arcface(embeddings, labels), functional.cross_entropy(30 * cosines, labels))


def test_length_does_not_matter() -> None:
    embeddings, labels = torch.randn(8, 6), torch.arange(8) % 4
    torch.testing.assert_close(loss()(embeddings, labels), loss()(7 * embeddings, labels))


@pytest.mark.parametrize("margin", [0.3, 0.5, 0.7])
def test_the_margin_never_rewards_a_larger_angle(margin: float) -> None:
    angles = torch.linspace(0.001, math.pi - 0.001, 2000)
    values = with_margin(angles.cos(), margin)
    assert (values.diff() <= 1e-6).all()  # up to the rounding of angles
    inside = angles < math.pi - margin
    torch.testing.assert_close(values[inside], (angles + margin).cos()[inside], rtol=0, atol=1e-4)


def test_an_embedding_on_a_class_s_own_direction_has_a_finite_gradient() -> None:
    arcface = loss()
    embeddings = arcface.weight.detach().clone().requires_grad_()
    arcface(embeddings, torch.arange(4)).backward()
    assert torch.isfinite(embeddings.grad).all()
    assert torch.isfinite(arcface.weight.grad).all()


def test_an_easy_margin_leaves_obtuse_angles_alone() -> None:
    cosines = torch.tensor([-0.9, -0.1, 0.1, 0.9])
    eased = with_margin(cosines, 0.5, easy=True)
    assert torch.equal(eased[:2], cosines[:2])
    torch.testing.assert_close(eased[2:], (cosines[2:].acos() + 0.5).cos())
