"""Class-conditional Gaussians of embeddings (report 5, §2.1.1).

After K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
NeurIPS 2018, with the covariance of each class shrunk towards the common one.
"""

import math

import torch
from torch import Tensor, nn

RIDGE = 1e-6  # share of the mean variance that is added to the common covariance
SMALLEST_VARIANCE = 1e-12  # replaces the mean variance where all clips of every class coincide


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
        counts = members.sum(0)
        self.means = members.T @ points / counts.clamp_min(1)[:, None]
        self.factors = torch.linalg.cholesky(_covariances(points - self.means[labels], members, counts))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return ln N(x; class), (N, classes), float64."""
        points = (embeddings.double() - self.centre) @ self.axes
        offsets = points[:, None] - self.means  # (N, classes, components)
        scaled = torch.linalg.solve_triangular(self.factors, offsets.permute(1, 2, 0), upper=False)
        volumes = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        return -0.5 * (points.shape[1] * math.log(2 * math.pi) + scaled.square().sum(1).T) - volumes


def _covariances(offsets: Tensor, members: Tensor, counts: Tensor) -> Tensor:
    """Return the classes' covariances (classes, D, D): w·own + (1 − w)·common, w = n / (n + 2·D).

    A class of a single clip has no covariance of its own and gets the common one.
    """
    size = offsets.shape[1]
    common = offsets.T @ offsets / len(offsets)
    variance = (common.trace() / size).clamp_min(SMALLEST_VARIANCE)
    common = common + RIDGE * variance * torch.eye(size).to(common)
    own = torch.einsum("nc,nd,ne->cde", members, offsets, offsets) / counts.clamp_min(1)[:, None, None]
    share = torch.where(counts < 2, 0, counts / (counts + 2 * size))[:, None, None]
    return share * own + (1 - share) * common
