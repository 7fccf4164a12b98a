"""Means and standard deviations of features over the real frames of a clip, and of a training set."""

import torch
from torch import Tensor

from asdlib.examples.clips import Clips

ROWS = 256  # clips at a time: the features may be memory-mapped
SMALLEST = 1e-3  # lower limit of the deviation, which is divided by: a band may be constant


def clip_statistics(features: Tensor, frames: Tensor) -> Tensor:
    """Return the mean and deviation over each clip's real frames, (B, frames, bands) → (B, 2 · bands)."""
    inside = (torch.arange(features.shape[1], device=frames.device) < frames[:, None])[..., None]
    count = frames[:, None].float()
    mean = features.where(inside, 0.0).sum(1) / count
    squares = (features - mean[:, None]).where(inside, 0.0).square().sum(1)
    return torch.cat([mean, (squares / count).sqrt()], dim=1)


def training_statistics(clips: Clips) -> Tensor:
    """Return the statistics of all clips, (N, 2 · bands)."""
    pieces = torch.arange(len(clips.table)).split(ROWS)
    return torch.cat([clip_statistics(clips.features[rows].float(), clips.frames[rows]) for rows in pieces])


def band_scaling(statistics: Tensor, frames: Tensor) -> dict[str, list[float]]:
    """Return `mean` and `std` of every band over all real frames of all clips, from the clips' statistics."""
    clip_mean, clip_std = statistics.double().chunk(2, dim=1)
    weight = (frames / frames.sum())[:, None]
    mean = (weight * clip_mean).sum(0)
    variance = (weight * (clip_std.square() + (clip_mean - mean).square())).sum(0)
    return {"mean": mean.tolist(), "std": variance.sqrt().clamp_min(SMALLEST).tolist()}
