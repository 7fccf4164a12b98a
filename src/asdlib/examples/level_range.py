"""The scaling of spectrogram levels to [0, 1], the range of a decoder that ends in a sigmoid."""

import torch
from torch import Tensor

from asdlib.examples.clips import Clips

BINS = torch.linspace(-200.0, 200.0, 4001)  # dB, 0.1 dB wide
SHARES = (0.001, 0.999)  # of all values: a few extreme values must not set the scale
NARROWEST = 1.0  # dB: avoids a division by zero for a constant level


def level_range(clips: Clips, rows: list[int]) -> list[float]:
    """Return the 0.1 and 99.9 percentiles, in dB, of all real frames of the clips in `rows`, accurate to 0.1 dB.

    The values are counted clip by clip, because the features may be memory-mapped and larger than the memory.
    """
    counts = torch.zeros(len(BINS) - 1, dtype=torch.float64)
    frames = clips.frames
    for row in rows:
        levels = clips.features[row, : frames[row]].float().clamp(BINS[0], BINS[-1])
        counts += levels.histc(len(BINS) - 1, float(BINS[0]), float(BINS[-1])).double()
    reached = counts.cumsum(0) / counts.sum()
    low, high = (int((reached < share).sum()) for share in SHARES)  # the bins in which the percentiles lie
    return [float(BINS[low]), max(float(BINS[high + 1]), float(BINS[low]) + NARROWEST)]


def scaled(features: Tensor, frames: Tensor, ranges: Tensor, length: int) -> Tensor:
    """Return clips (B, frames, bands) in dB, scaled to [0, 1] and padded with zeros to (B, length, bands).

    `frames` (B,) are the numbers of real frames; frames after them become zero. `ranges` (B, 2) are the levels that
    become 0 and 1; levels outside are clipped.
    """
    features = features.float()
    low, high = ranges[:, :1, None], ranges[:, 1:, None]
    levels = ((features - low) / (high - low)).clamp(0, 1)
    inside = torch.arange(features.shape[1], device=frames.device) < frames[:, None]
    levels = levels.where(inside[:, :, None], 0.0)
    return torch.nn.functional.pad(levels, (0, 0, 0, length - features.shape[1]))
