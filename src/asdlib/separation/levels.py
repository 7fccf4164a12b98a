"""The level of recordings, for networks and losses that are not indifferent to it."""

from torch import Tensor

from asdlib.separation.mixing import QUIETEST_NOISE
from asdlib.separation.mixtures import Mixtures


def level(waveforms: Tensor) -> Tensor:
    """Return the standard deviation of each of (…, T), (…, 1); not less than one quantisation step, to divide by it."""
    return waveforms.std(-1, keepdim=True).clamp_min(QUIETEST_NOISE)


def at_unit_level(mixtures: Mixtures) -> Mixtures:
    """Divide mixtures and their sources by the mixtures' level: SNR and sums stay as they are."""
    loudness = level(mixtures.mixture)
    return Mixtures(mixtures.mixture / loudness, mixtures.sources / loudness[:, None])
