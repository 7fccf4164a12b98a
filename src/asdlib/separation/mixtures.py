"""The training data of separators: mixtures of machine sound and noise with their sources, drawn on the fly.

A mixture has a crop of each, at a random signal-to-noise ratio and level. Machine sounds are shifted circularly and
change polarity. They are never stretched or shifted in pitch, because this would blur what is normal.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from asdlib.errors import AsdError, TooFewClipsError
from asdlib.separation.mixing import PEAK, QUIETEST_NOISE, draw_crop, loud_starts, noise_gain
from asdlib.separation.settings import Pairs

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mixtures:
    """Mixtures (B, T) and their sources (B, 2, T), machine and noise; float32 in [-1, 1]."""

    mixture: Tensor
    sources: Tensor

    def to(self, device: torch.device) -> "Mixtures":
        """Return the mixtures on a device."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ("mixture", "sources")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Seed:
    """The numbers that, with its index, determine a mixture; `purpose` separates held-out from training mixtures."""

    seed: int
    epoch: int
    purpose: int


class DrawnMixtures:
    """`count` mixtures of `length` samples; each depends only on `seed` and its index."""

    def __init__(
        self, machine: list[np.ndarray], noise: list[np.ndarray], pairs: Pairs, length: int, count: int, seed: Seed
    ):
        self.machine = machine
        self.noise = noise
        self.seed = seed
        self._pairs = pairs
        self._length = length
        self._count = count

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Mixtures:
        """Return the mixtures with these indices."""
        drawn = np.stack([self._sources(index) for index in indices.tolist()])  # (B, 2, T)
        sources = torch.from_numpy(drawn)
        return Mixtures(sources.sum(1), sources)

    def _sources(self, index: int) -> np.ndarray:
        """Return the sources of one mixture, (2, T): machine, noise."""
        rng = np.random.default_rng([self.seed.seed, self.seed.epoch, index, self.seed.purpose])
        chosen = self.machine[rng.integers(len(self.machine))]
        machine = draw_crop(chosen, self._length, self._pairs.minimum_rms, True, rng) * rng.choice([-1.0, 1.0])
        noise = draw_crop(self.noise[rng.integers(len(self.noise))], self._length, QUIETEST_NOISE, False, rng)
        noise = noise * noise_gain(machine, noise, rng.uniform(*self._pairs.snr))
        sources = np.stack([machine, noise]) * 10 ** (rng.uniform(-self._pairs.gain, self._pairs.gain) / 20)
        sources *= PEAK / max(PEAK, np.abs(sources.sum(0)).max())  # scaled by the mixture's peak
        return sources.astype(np.float32)


class MixturePairs(DrawnMixtures):
    """The mixtures of a training: `pairs.per_epoch` new ones every epoch, and fixed held-out ones in `validation`.

    `machine` and `noise` are int16 recordings (samples,) of any length, without padding. A share of each is held out
    from training. A mixture depends only on the seed, the epoch and its index. Raises TooFewClipsError if there are
    fewer than two recordings of either, and AsdError if all are too quiet.
    """

    def __init__(self, machine: list[np.ndarray], noise: list[np.ndarray], pairs: Pairs, sample_rate: int, seed: int):
        length = round(pairs.segment * sample_rate)
        machine = _loud_enough(machine, length, pairs.minimum_rms, "machine")
        noise = _loud_enough(noise, length, QUIETEST_NOISE, "noise")
        rng = np.random.default_rng(seed)
        machine, held_out_machine = _hold_out(machine, pairs.validation, rng, "machine")
        noise, held_out_noise = _hold_out(noise, pairs.validation, rng, "noise")
        super().__init__(machine, noise, pairs, length, pairs.per_epoch, Seed(seed, epoch=0, purpose=0))
        fixed = Seed(seed, epoch=0, purpose=1)
        self.validation = DrawnMixtures(
            held_out_machine, held_out_noise, pairs, length, pairs.validation_mixtures, fixed
        )

    def begin_epoch(self, epoch: int) -> None:
        """Draw the mixtures of another epoch from now on; the held-out ones stay the same."""
        self.seed = replace(self.seed, epoch=epoch)


def _loud_enough(recordings: list[np.ndarray], length: int, minimum: float, what: str) -> list[np.ndarray]:
    """Return the recordings that have a crop louder than `minimum`."""
    loud = [samples for samples in recordings if len(samples) and len(loud_starts(samples, length, minimum))]
    if recordings and not loud:
        remedy = "check the recordings' level, or lower pairs.minimum_rms" if what == "machine" else "replace them"
        raise AsdError(f"pairs: all {len(recordings)} {what} recordings are quieter than {minimum:.1g} RMS: {remedy}")
    if len(loud) < len(recordings):
        _log.warning("%d of %d %s recordings are silent: left out", len(recordings) - len(loud), len(recordings), what)
    return loud


def too_few(count: int, what: str) -> str | None:
    """Return what is wrong if there are not enough recordings to hold one out."""
    return (
        None
        if count > 1
        else f"pairs: {count} {what} recording(s), but at least 2 are needed (one is held out): add some"
    )


def _hold_out(
    recordings: list[np.ndarray], share: float, rng: np.random.Generator, what: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return recordings split at random into training and held-out ones, at least one of each."""
    if problem := too_few(len(recordings), what):
        raise TooFewClipsError(problem)
    order = rng.permutation(len(recordings))
    held_out = max(1, round(share * len(recordings)))
    chosen = [recordings[i] for i in order]
    return chosen[held_out:], chosen[:held_out]
