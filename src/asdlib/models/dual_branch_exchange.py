"""Mixup, statistics exchange and feature exchange, which create new classes from two clips of a batch.

K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024. A clip's partner is always the
one at the same index of the reversed batch. The caller draws which clips are exchanged.
"""

import torch
from torch import Tensor

SMALLEST = 1e-16  # added to a standard deviation before it divides


def mixed(values: Tensor, share: Tensor) -> Tensor:
    """Return share · x + (1 − share) · partner for values (B, …); `share` (B,) is 1 where a clip is not mixed."""
    share = share.reshape(-1, *[1] * (values.dim() - 1))
    return share * values + (1 - share) * values.flip(0)


def exchange_statistics(magnitudes: Tensor, exchanged: Tensor) -> Tensor:
    """Return spectrograms (B, frames, bins) with their partner's mean and standard deviation over the bins.

    The statistics are exchanged frame by frame, and only for clips where `exchanged` (B,) is True.
    """
    mean = magnitudes.mean(2, keepdim=True)
    spread = magnitudes.std(2, correction=0, keepdim=True) + SMALLEST
    foreign = (magnitudes - mean) / spread * spread.flip(0) + mean.flip(0)
    return torch.where(exchanged[:, None, None], foreign, magnitudes)


def exchange_rows(embeddings: Tensor, exchanged: Tensor) -> Tensor:
    """Return the partner's embedding (B, dimensions) where `exchanged` (B,) is True, otherwise the clip's own."""
    return torch.where(exchanged[:, None], embeddings.flip(0), embeddings)


def exchange_labels(labels: Tensor, exchanged: Tensor) -> Tensor:
    """Return soft labels (B, C) as (B, 3·C): [y, 0, 0], or [0, y/2, partner's y/2] if exchanged."""
    nothing = torch.zeros_like(labels)
    own = torch.cat([labels, nothing, nothing], 1)
    foreign = torch.cat([nothing, labels / 2, labels.flip(0) / 2], 1)
    return torch.where(exchanged[:, None], foreign, own)
