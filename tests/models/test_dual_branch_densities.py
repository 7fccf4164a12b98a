"""Class-conditional Gaussians: the worked example, SciPy's densities, and classes with few clips."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from asdlib.models.dual_branch_densities import ClassDensities

# docs/system5.md, Density-Softmax: N([0, 0], I) and N([4, 0], diag(1, 2)).
EXAMPLE = {(0, 0): (-1.837877, -10.184451), (2, 0): (-3.837877, -4.184451), (2, 6): (-21.837877, -13.184451)}


def cloud(count: int, centre: list[float], seed: int = 0) -> torch.Tensor:
    return torch.tensor(centre) + torch.randn(count, len(centre), generator=torch.Generator().manual_seed(seed))


def fitted(points: torch.Tensor, labels: list[int], classes: int, components: int | None = None) -> ClassDensities:
    densities = ClassDensities(points.shape[1], components or points.shape[1], classes)
    densities.fit(points, torch.tensor(labels))
    return densities


@pytest.mark.parametrize(("point", "expected"), EXAMPLE.items())
def test_the_worked_example(point: tuple[int, int], expected: tuple[float, float]) -> None:
    densities = ClassDensities(2, 2, 2)
    densities.means[1, 0] = 4
    densities.factors[1, 1, 1] = 2**0.5
    assert densities(torch.tensor([point]))[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_one_class_is_scipys_gaussian() -> None:
    points = cloud(500, [1.0, 2.0, 3.0])
    ours = fitted(points, [0] * 500, 1)(points[:9])[:, 0].numpy()
    theirs = multivariate_normal(points.mean(0).numpy(), np.cov(points.T.numpy(), bias=True)).logpdf(points[:9].numpy())
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # with all axes, the principal components are a rotation


def test_only_the_largest_axes_count() -> None:
    points = cloud(300, [0.0, 0.0, 0.0]) * torch.tensor([10.0, 5.0, 0.01])
    densities = fitted(points, [0] * 300, 1, components=2)
    shifted = points + torch.tensor([0.0, 0.0, 5.0])
    torch.testing.assert_close(densities(shifted), densities(points), rtol=1e-2, atol=1e-2)


def test_a_small_class_takes_most_of_its_shape_from_all() -> None:
    """w = n / (n + 2·D): 4 clips in 2 dimensions give half of a covariance."""
    large, small = cloud(400, [0.0, 0.0]), cloud(4, [9.0, 0.0], seed=1) * torch.tensor([1.0, 0.01])
    densities = fitted(torch.cat([large, small]), [0] * 400 + [1] * 4, 2)
    rotation = densities.axes
    covariances = rotation @ densities.factors @ densities.factors.mT @ rotation.T
    offsets = torch.cat([large - large.mean(0), small - small.mean(0)]).double()
    common = offsets.T @ offsets / 404
    own = offsets[400:].T @ offsets[400:] / 4
    torch.testing.assert_close(covariances[1], 0.5 * own + 0.5 * common, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_of_no_or_one_clip_is_finite(count: int) -> None:
    points = torch.cat([cloud(50, [0.0, 0.0]), cloud(count, [5.0, 5.0], seed=1)])
    densities = fitted(points, [0] * 50 + [1] * count, 2)
    found = densities(points)
    assert torch.isfinite(found).all()
    if count == 1:  # its Gaussian is around it
        theirs = multivariate_normal(np.zeros(2), densities.common.numpy()).logpdf(np.zeros(2))
        assert found[-1, 1].item() == pytest.approx(theirs)


def test_classes_without_any_spread_are_finite() -> None:
    assert torch.isfinite(fitted(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [0, 1], 2)(cloud(3, [0.0, 0.0]))).all()


def test_a_clip_is_likeliest_in_its_own_class() -> None:
    points = torch.cat([cloud(30, [0.0, 0.0, 0.0]), cloud(30, [9.0, 0.0, 0.0], 1), cloud(30, [0.0, 9.0, 0.0], 2)])
    labels = [0] * 30 + [1] * 30 + [2] * 30
    assert fitted(points, labels, 3)(points).argmax(1).tolist() == labels


def test_a_clip_that_is_not_quite_the_member_it_was_keeps_the_covariance_of_its_class(caplog) -> None:
    """Stored features are rounded; where a class hardly spreads, it could not lose such a clip."""
    points = cloud(100, [1.0, 0.0, 0.0]) * 1e-6
    densities = fitted(points, [0] * 100, 1)
    moved = points + 1e-5 * torch.randn(100, 3, generator=torch.Generator().manual_seed(2))
    found = densities.left_out(moved, torch.zeros(100, dtype=torch.int64))
    assert torch.isfinite(found).all()
    assert "training clips stay in the covariance of their class, which hardly spreads" in caplog.text


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_a_member_that_is_left_out_meets_the_gaussian_of_the_others(count: int) -> None:
    """The axes and the common covariance stay those of all clips."""
    points = torch.cat([cloud(50, [0.0, 0.0, 1.0]), cloud(count, [5.0, 5.0, 0.0], seed=1)])
    labels = [0] * 50 + [1] * count
    densities = fitted(points, labels, 2)
    found = densities.left_out(points, torch.tensor(labels))
    projected = (points.double() - densities.centre) @ densities.axes
    for row in (0, 7, 50, len(points) - 1):
        others = torch.tensor([label == labels[row] for label in labels])
        others[row] = False
        rest = projected[others]
        mean = rest.mean(0) if len(rest) else torch.zeros(3, dtype=torch.float64)
        share = len(rest) / (len(rest) + 6) if len(rest) > 1 else 0.0
        own = np.cov(rest.T.numpy(), bias=True) if len(rest) > 1 else np.zeros((3, 3))
        covariance = share * own + (1 - share) * densities.common.numpy()
        expected = multivariate_normal(mean.numpy(), covariance).logpdf(projected[row].numpy())
        assert found[row].item() == pytest.approx(expected, rel=1e-9)
