"""The level of recordings, for networks and losses that depend on it."""

from torch import Tensor

from asdlib.separation.mixing import QUIETEST_NOISE
from asdlib.separation.mixtures import Mixtures


def level(waveforms: Tensor) -> Tensor:
    """Return the standard deviation of waveforms (…, T), (…, 1), at least one quantisation step."""
    return waveforms.std(-1, keepdim=True).clamp_min(QUIETEST_NOISE)


def at_unit_level(mixtures: Mixtures) -> Mixtures:
    """Return mixtures and sources divided by the mixtures' level; SNRs and sums are unchanged."""
    loudness = level(mixtures.mixture)
    return Mixtures(mixtures.mixture / loudness, mixtures.sources / loudness[:, None])
