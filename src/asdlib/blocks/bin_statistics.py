"""Mean and standard deviation of every frequency bin over the real frames of many clips."""

import torch
from torch import Tensor

from asdlib.blocks.clips import Clips

ROWS = 256  # clips in memory at a time
SMALLEST = 1e-3  # of a standard deviation: a bin that never varies must not blow up what differs from it


def bin_statistics(clips: Clips) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (bins,), float64, over the clips' real frames of features (N, frames, bins)."""
    bins = clips.features.shape[2]
    total, squares = torch.zeros(2, bins, dtype=torch.float64)
    count = 0
    for rows in torch.arange(len(clips.features)).split(ROWS):
        features = clips.features[rows].double()
        real = torch.arange(features.shape[1]) < clips.frames[rows][:, None]  # (clips, frames)
        frames = features[real]  # (real frames, bins)
        total += frames.sum(0)
        squares += frames.square().sum(0)
        count += len(frames)
    mean = total / count
    variance = (squares / count - mean.square()).clamp_min(0)
    return mean, variance.sqrt().clamp_min(SMALLEST)
