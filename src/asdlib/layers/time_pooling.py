"""Pooling over time without parameters: relative-deviation pooling (RDP) and the generalised mean (GeM).

RDP weights vectors by their distance from the clip's mean, so that short events count (arXiv 2603.04605, §III-E).
"""

import torch
from torch import Tensor

from asdlib.errors import AsdError

POOLINGS = ("mean", "rdp", "gem", "rdp_gem")
SMALLEST = 1e-8  # with no vector further from the mean than this, all have the same weight


class TimePooling:
    """Vectors (B, …, times, width) → (B, …, width).

    `pooling` is mean; rdp, a weighted mean; gem, the generalised mean with the exponent `power`, for which negative
    values count as 0; or rdp_gem, both. The weight of a vector in RDP is (1 + r)^`gamma`, where r is its distance from
    the mean, divided by the largest such distance.
    """

    def __init__(self, pooling: str, gamma: float, power: float):
        if pooling not in POOLINGS:
            raise AsdError(f"model: pooling {pooling!r}: use one of: {', '.join(POOLINGS)}")
        if gamma < 0 or power <= 0:
            raise AsdError(f"model: gamma {gamma}, power {power}: use a gamma of 0 or more, and a power above 0")
        self.gamma = gamma if pooling.startswith("rdp") else 0.0
        self.power = power if pooling.endswith("gem") else None

    def __call__(self, vectors: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool vectors; those where `padding` (B, …, times) is True do not count."""
        weights = deviation_weights(vectors, self.gamma, padding)[..., None]
        if self.power is None:
            return (weights * vectors).sum(-2)
        positive = vectors.clamp_min(0)
        largest = positive.amax(-2, keepdim=True).clamp_min(torch.finfo(vectors.dtype).tiny)  # powers cannot overflow
        mean = (weights * (positive / largest) ** self.power).sum(-2)
        return largest[..., 0, :] * mean ** (1 / self.power)


def deviation_weights(vectors: Tensor, gamma: float, padding: Tensor | None = None) -> Tensor:
    """Return RDP's weights of vectors (B, …, times, width), (B, …, times), with the sum 1; `padding` gets none."""
    real = torch.ones_like(vectors[..., 0]) if padding is None else (~padding).to(vectors.dtype)
    mean = (real[..., None] * vectors).sum(-2, keepdim=True) / real.sum(-1)[..., None, None]
    distances = (vectors - mean).norm(dim=-1) * real
    largest = distances.amax(-1, keepdim=True)
    relative = torch.where(largest > SMALLEST, distances / largest.clamp_min(SMALLEST), 0.0)
    weights = real * (1 + relative) ** gamma
    return weights / weights.sum(-1, keepdim=True)
