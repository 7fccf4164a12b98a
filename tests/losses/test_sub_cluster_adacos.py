"""Sub-cluster AdaCos; parity with the published code is tested in tests/parity."""

import math

import pytest
import torch

from asdlib.losses.sub_cluster_adacos import SubClusterAdaCos


def made(classes: int = 3, sub_clusters: int = 2, trainable: bool = True) -> SubClusterAdaCos:
    torch.manual_seed(0)
    return SubClusterAdaCos(8, classes, sub_clusters, trainable)


def batch(count: int = 5, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 8, generator=generator), torch.rand(count, classes, generator=generator).softmax(1)


def test_probabilities_are_those_of_classes() -> None:
    probabilities = made().probabilities(*batch())
    assert probabilities.shape == (5, 3)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))


def test_an_embedding_at_a_centre_is_of_its_class() -> None:
    loss = made().eval()
    centres = loss.weight.detach().T  # rows of classes 0, 0, 1, 1, 2, 2
    right = torch.eye(3).repeat_interleave(2, dim=0)
    assert loss.probabilities(centres, right).argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    assert loss(centres, right) < loss(centres, right.roll(1, dims=1))


def test_lengths_do_not_matter() -> None:
    embeddings, labels = batch()
    loss = made().eval()
    torch.testing.assert_close(loss(embeddings, labels), loss(7 * embeddings, labels))


def test_centres_that_do_not_learn_are_stored_all_the_same() -> None:
    loss = made(trainable=False)
    embeddings, labels = batch()
    loss(embeddings.requires_grad_(), labels).backward()
    assert loss.weight.grad is None
    assert embeddings.grad.any()
    assert set(loss.state_dict()) == {"weight", "scale"}


def test_the_scale_moves_in_training_only_and_before_it_is_used() -> None:
    embeddings, labels = batch()
    loss = made()
    start = float(loss.scale)
    assert start == pytest.approx(math.sqrt(2) * math.log(5))
    loss.eval()(embeddings, labels)
    assert float(loss.scale) == start
    trained = loss.train()(embeddings, labels)
    assert float(loss.scale) != start
    torch.testing.assert_close(loss.eval()(embeddings, labels), trained)


def test_with_several_sub_clusters_the_angle_is_always_the_largest() -> None:
    """Angles are summed over a class's sub-clusters, as published: even a perfect batch gives √2 · ln mean Σ exp."""
    loss = made(classes=2, sub_clusters=4)
    near = loss.weight.data[:, :4]
    near[:, 1:] = near[:, :1] + 0.5 * near[:, 1:]  # about 30° from the first: 45° in sum, not on average
    embeddings = loss.weight.detach().T[:1].repeat(3, 1)
    labels = torch.tensor([[1.0, 0.0]] * 3)
    cosines = torch.nn.functional.normalize(embeddings) @ torch.nn.functional.normalize(loss.weight.detach(), dim=0)
    expected = math.sqrt(2) * (loss.scale * cosines).exp().sum(1).mean().log()
    loss(embeddings, labels)
    torch.testing.assert_close(loss.scale, expected)


def test_with_one_centre_a_class_the_angle_is_the_median() -> None:
    """Of 10°, 20° and 30° to a clip's own centre, with a right angle to the other two."""
    loss = made(sub_clusters=1)
    loss.weight.data = torch.eye(8, 3)
    angles = torch.tensor([30.0, 10.0, 20.0]).deg2rad()
    embeddings = angles.cos()[:, None] * torch.eye(3, 8) + angles.sin()[:, None] * torch.eye(8)[7]
    start = math.sqrt(2) * math.log(2)
    loss(embeddings, torch.eye(3))
    sums = [math.exp(start * math.cos(math.radians(angle))) + 2 for angle in (10, 20, 30)]
    assert float(loss.scale) == pytest.approx(math.log(sum(sums) / 3) / math.cos(math.radians(20)), rel=1e-6)


def test_one_class_of_one_centre_has_a_scale() -> None:
    assert made(classes=1, sub_clusters=1).scale > 0


def test_in_bf16_loss_scale_and_gradient_are_those_of_float32_at_a_cosine_of_one() -> None:
    labels = torch.eye(3).repeat_interleave(2, dim=0)

    def trained(precise: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        loss = made()
        centres = loss.weight.detach().T.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            value = loss(centres, labels)
        value.backward()
        return value, loss.scale, centres.grad

    rounded, exact = trained(precise=False), trained(precise=True)
    assert torch.isfinite(rounded[2]).all()
    torch.testing.assert_close(rounded, exact)


def trained_on_separable_classes(largest_scale: float | None) -> SubClusterAdaCos:
    """Return the loss after 300 steps of free embeddings, which come ever nearer to their centres."""
    torch.manual_seed(0)
    loss = SubClusterAdaCos(8, 3, 2, trainable=False, largest_scale=largest_scale)
    embeddings = torch.nn.Parameter(torch.randn(12, 8))
    labels = torch.eye(3).repeat_interleave(4, dim=0)
    optimizer = torch.optim.Adam([embeddings], 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss(embeddings, labels).backward()
        optimizer.step()
    return loss


def test_the_published_scale_grows_without_bound_and_a_limit_holds_it() -> None:
    assert not float(trained_on_separable_classes(None).scale) < 1e6
    assert float(trained_on_separable_classes(30.0).scale) <= 30.0


def test_a_fixed_scale_never_moves() -> None:
    torch.manual_seed(0)
    loss = SubClusterAdaCos(4, classes=116, sub_clusters=16, trainable=True, adaptive=False).train()
    start = float(loss.scale)
    assert start == pytest.approx(10.64, abs=0.005)
    for _ in range(3):
        loss(torch.randn(8, 4), torch.eye(116)[:8])
    assert float(loss.scale) == start
