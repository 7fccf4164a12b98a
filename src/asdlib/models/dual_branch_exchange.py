"""Mixup, statistics exchange and feature exchange: new classes made of two clips of a batch.

K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024. A clip's partner is always the
one at its place in the reversed batch. Who is exchanged, the caller draws.
"""

import torch
from torch import Tensor

SMALLEST = 1e-16  # added to a standard deviation before it divides


def mixed(values: Tensor, share: Tensor) -> Tensor:
    """Return share · x + (1 − share) · partner of values (B, …); `share` (B,) is 1 where a clip stays as it is."""
    share = share.reshape(-1, *[1] * (values.dim() - 1))
    return share * values + (1 - share) * values.flip(0)


def exchange_statistics(magnitudes: Tensor, exchanged: Tensor) -> Tensor:
    """Give the frames of spectrograms (B, frames, bins) their partner's mean and standard deviation over the bins.

    Frame by frame, and only where `exchanged` (B,) says so.
    """
    mean = magnitudes.mean(2, keepdim=True)
    spread = magnitudes.std(2, correction=0, keepdim=True) + SMALLEST
    foreign = (magnitudes - mean) / spread * spread.flip(0) + mean.flip(0)
    return torch.where(exchanged[:, None, None], foreign, magnitudes)


def exchange_rows(embeddings: Tensor, exchanged: Tensor) -> Tensor:
    """Return the partner's embedding (B, dimensions) where `exchanged` (B,), else a clip's own."""
    return torch.where(exchanged[:, None], embeddings.flip(0), embeddings)


def exchange_labels(labels: Tensor, exchanged: Tensor) -> Tensor:
    """Widen soft labels (B, C) to (B, 3·C): [y, 0, 0] as it is, [0, y/2, partner's y/2] if exchanged."""
    nothing = torch.zeros_like(labels)
    own = torch.cat([labels, nothing, nothing], 1)
    foreign = torch.cat([nothing, labels / 2, labels.flip(0) / 2], 1)
    return torch.where(exchanged[:, None], foreign, own)
