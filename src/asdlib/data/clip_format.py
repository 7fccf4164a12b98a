"""The clip format that all steps after `prepare` read: the config's block `prepare`."""

from dataclasses import dataclass, field
from typing import Any

SHORTEST = 0.128  # seconds of sound that every model here can score: five frames of the baseline's log-mel

CUT, SPLIT, REFUSE = "cut", "split", "refuse"  # recordings that are longer than a clip


@dataclass(frozen=True)
class ClipFormat:
    """Length and sampling rate of clips, and what is done with recordings that differ."""

    sample_rate: int  # Hz
    seconds: float
    resample: bool  # convert recordings at another rate instead of refusing them
    downmix: bool  # average the channels of recordings that are not mono
    allow_silent: bool  # accept clips of digital silence
    channel: Any = field(default=None, kw_only=True)  # of recordings that are not mono: near, far or a number from 0
    longer: str = field(default=CUT, kw_only=True)  # what is done with recordings that are longer than a clip

    @property
    def samples(self) -> int:
        """The length of a clip."""
        return round(self.seconds * self.sample_rate)

    @property
    def shortest(self) -> int:
        """The least number of samples of a training or test clip; clips of a short format may be half empty."""
        return round(min(SHORTEST, self.seconds / 2) * self.sample_rate)

    def pieces(self, samples: int) -> int:
        """Return how many clips are made of a recording of some samples, at this rate."""
        if self.longer != SPLIT or samples <= self.samples:
            return 1
        whole, rest = divmod(samples, self.samples)
        return whole + (rest >= self.shortest)

    def least(self, samples: int) -> int:
        """Return the samples of sound in the shortest clip that is made of a recording."""
        rest = samples % self.samples
        is_last = self.longer == SPLIT and samples > self.samples and rest >= self.shortest
        return rest if is_last else min(samples, self.samples)


def prepared_samples(samples: int, rate: int, wanted: ClipFormat) -> int:
    """Return the length of a recording of some samples at some rate (Hz) at the rate of the clips."""
    return (2 * samples * wanted.sample_rate + rate) // (2 * rate)  # halves up, as soxr does
