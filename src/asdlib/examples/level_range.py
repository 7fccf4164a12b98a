"""Spectrogram levels on a scale from 0 to 1: what a decoder that ends in a sigmoid can reach."""

import torch
from torch import Tensor

from asdlib.examples.clips import Clips

BINS = torch.linspace(-200.0, 200.0, 4001)  # dB, 0.1 dB wide
SHARES = (0.001, 0.999)  # of all values: a few extreme ones must not set the scale
NARROWEST = 1.0  # dB: a machine of constant level is no division by zero


def level_range(clips: Clips, rows: list[int]) -> list[float]:
    """Return the 0.1 and the 99.9 percentile, in dB, of all real frames of those clips; exact to 0.1 dB.

    Counted clip by clip: the features may be a map of a file that is larger than the memory.
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
    """Bring clips (B, at most length, bands) in dB to (B, length, bands) in [0, 1]; padding and what is missing are 0.

    `frames` (B,) are the real ones, `ranges` (B, 2) the levels that become 0 and 1; what lies outside is clipped.
    """
    features = features.float()
    low, high = ranges[:, :1, None], ranges[:, 1:, None]
    levels = ((features - low) / (high - low)).clamp(0, 1)
    inside = torch.arange(features.shape[1], device=frames.device) < frames[:, None]
    levels = levels.where(inside[:, :, None], 0.0)
    return torch.nn.functional.pad(levels, (0, 0, 0, length - features.shape[1]))
