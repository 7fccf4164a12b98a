"""The scaling of spectrogram levels to [0, 1], the range of a decoder that ends in a sigmoid."""

import logging
from typing import Any

import torch
from torch import Tensor

from asdlib.examples.clips import Clips

BINS = torch.linspace(-200.0, 200.0, 4001)  # dB, 0.1 dB wide
SHARES = (0.001, 0.999)  # of all values: a few extreme values must not set the scale
NARROWEST = 1.0  # dB: avoids a division by zero for a constant level
LEAST_VARIANCE = 1e-4  # of scaled levels, for the same reason
_log = logging.getLogger(__name__)


def machine_levels(clips: Clips) -> dict[str, Any]:
    """Return the `machines`, the `ranges` of their levels (dB) and the `variances` of the levels in these ranges."""
    machines = clips.column("machine")
    found: dict[str, Any] = {"machines": sorted(set(machines)), "ranges": [], "variances": []}
    for name in found["machines"]:
        counts = level_counts(clips, [row for row, machine in enumerate(machines) if machine == name])
        low, high = level_range(counts)
        _log.info("%s: %.1f to %.1f dB are mapped to 0 to 1", name, low, high)
        found["ranges"].append([low, high])
        found["variances"].append(scaled_variance(counts, [low, high]))
    return found


def level_counts(clips: Clips, rows: list[int]) -> Tensor:
    """Return the histogram, over `BINS`, of the levels in all real frames of the clips in `rows`.

    The values are counted clip by clip, because the features may be memory-mapped and larger than the memory.
    """
    counts = torch.zeros(len(BINS) - 1, dtype=torch.float64)
    frames = clips.frames
    for row in rows:
        levels = clips.features[row, : frames[row]].float().clamp(BINS[0], BINS[-1])
        counts += levels.histc(len(BINS) - 1, float(BINS[0]), float(BINS[-1])).double()
    return counts


def level_range(counts: Tensor) -> list[float]:
    """Return the 0.1 and 99.9 percentiles of a histogram of levels, in dB, accurate to 0.1 dB."""
    reached = counts.cumsum(0) / counts.sum()
    low, high = (int((reached < share).sum()) for share in SHARES)  # the bins in which the percentiles lie
    return [float(BINS[low]), max(float(BINS[high + 1]), float(BINS[low]) + NARROWEST)]


def scaled_variance(counts: Tensor, limits: list[float]) -> float:
    """Return the variance of the levels of a histogram once `limits`, in dB, have become 0 and 1."""
    low, high = limits
    levels = (((BINS[:-1] + BINS[1:]).double() / 2 - low) / (high - low)).clamp(0, 1)
    shares = counts / counts.sum()
    mean = (levels * shares).sum()
    return max(float(((levels - mean).square() * shares).sum()), LEAST_VARIANCE)


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
