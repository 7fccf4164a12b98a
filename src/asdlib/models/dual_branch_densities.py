"""Class-conditional Gaussians of embeddings (report 5, §2.1.1).

After K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
NeurIPS 2018, with the covariance of each class shrunk towards the common one.
"""

import logging
import math

import torch
from torch import Tensor, nn

RIDGE = 1e-6  # share of the mean variance that is added to the common covariance
SMALLEST_VARIANCE = 1e-12  # replaces the mean variance where all clips of every class coincide

_log = logging.getLogger(__name__)


class ClassDensities(nn.Module):
    """Log densities of embeddings (N, inputs) under one Gaussian per class in the space of principal components.

    `fit` learns all parameters. They are kept in float64, because covariances of embeddings on a sphere are badly
    conditioned.
    """

    def __init__(self, inputs: int, components: int, classes: int):
        super().__init__()
        components = min(components, inputs)
        zeros, eye = torch.zeros(components, dtype=torch.float64), torch.eye(components, dtype=torch.float64)
        self.register_buffer("centre", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("axes", torch.eye(inputs, components, dtype=torch.float64))
        self.register_buffer("means", zeros.repeat(classes, 1))
        self.register_buffer("factors", eye.repeat(classes, 1, 1))  # lower triangular: covariance = L Lᵀ
        self.register_buffer("common", eye.clone())
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.float64))

    @torch.no_grad()
    def fit(self, embeddings: Tensor, labels: Tensor) -> None:
        """Learn the principal axes and the Gaussians from embeddings (N, inputs) and their classes (N,).

        A class without clips gets the common covariance around the mean of all clips.
        """
        embeddings = embeddings.double()
        self.centre = embeddings.mean(0)
        _, vectors = torch.linalg.eigh((embeddings - self.centre).T @ (embeddings - self.centre))
        self.axes = vectors.flip(1)[:, : self.axes.shape[1]].contiguous()  # eigh sorts in ascending order
        points = (embeddings - self.centre) @ self.axes
        members = torch.nn.functional.one_hot(labels, len(self.means)).to(points)  # (N, classes)
        self.counts = members.sum(0)
        self.means = members.T @ points / self.counts.clamp_min(1)[:, None]
        offsets = points - self.means[labels]
        self.common = _common(offsets)
        self.factors = torch.linalg.cholesky(_covariances(offsets, members, self.counts, self.common))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return ln N(x; class), (N, classes), float64."""
        points = (embeddings.double() - self.centre) @ self.axes
        return _log_normal((points[:, None] - self.means).permute(1, 2, 0), self.factors).T

    def left_out(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return ln N(x; class) of clips (N, inputs) that are members of these classes (N,), each without itself, (N,).

        Mean and covariance of the class are those of its other members. The axes and the common covariance are kept,
        as the clip is one of all.
        """
        points = (embeddings.double() - self.centre) @ self.axes
        offsets, size = points - self.means[labels], points.shape[1]
        counts = self.counts[labels][:, None, None]
        rest = counts - 1
        covariances = self.factors[labels] @ self.factors[labels].mT
        scatters = (counts + 2 * size) * (covariances - (1 - _share(counts, size)) * self.common)
        scatters = scatters - counts / rest.clamp_min(1) * offsets[:, :, None] * offsets[:, None]
        others = torch.where(rest < 2, 0, scatters / (rest + 2 * size)) + (1 - _share(rest, size)) * self.common
        lone = (rest == 0)[:, 0]  # a class without clips has the mean of all, which is 0
        offsets = torch.where(lone, points, offsets * (counts / rest.clamp_min(1))[:, 0])
        factors, failed = torch.linalg.cholesky_ex(others)
        if failed.any():  # where a class hardly spreads, the rounding of stored features is as large as its spread
            count = int(failed.bool().sum())
            _log.warning("%d training clips stay in the covariance of their class, which hardly spreads", count)
            factors = torch.where(failed.bool()[:, None, None], self.factors[labels], factors)
        return _log_normal(offsets[:, :, None], factors)[:, 0]


def _log_normal(offsets: Tensor, factors: Tensor) -> Tensor:
    """Return ln N(offset; 0, L Lᵀ), (classes, N), of offsets (classes, D, N) and L (classes, D, D)."""
    scaled = torch.linalg.solve_triangular(factors, offsets, upper=False)
    volumes = factors.diagonal(dim1=1, dim2=2).log().sum(1)
    return -0.5 * (offsets.shape[1] * math.log(2 * math.pi) + scaled.square().sum(1)) - volumes[:, None]


def _common(offsets: Tensor) -> Tensor:
    size = offsets.shape[1]
    common = offsets.T @ offsets / len(offsets)
    variance = (common.trace() / size).clamp_min(SMALLEST_VARIANCE)
    return common + RIDGE * variance * torch.eye(size).to(common)


def _covariances(offsets: Tensor, members: Tensor, counts: Tensor, common: Tensor) -> Tensor:
    """Return the classes' covariances (classes, D, D): w·own + (1 − w)·common."""
    own = torch.einsum("nc,nd,ne->cde", members, offsets, offsets) / counts.clamp_min(1)[:, None, None]
    share = _share(counts, offsets.shape[1])[:, None, None]
    return share * own + (1 - share) * common


def _share(counts: Tensor, size: int) -> Tensor:
    """Return w = n / (n + 2·D); a class of a single clip has no covariance of its own and gets the common one."""
    return torch.where(counts < 2, 0, counts / (counts + 2 * size))
