"""The clip format that all steps after `prepare` read: the config's block `prepare`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipFormat:
    """Length and sampling rate of clips, and what is done with recordings that differ."""

    sample_rate: int  # Hz
    seconds: float
    resample: bool  # convert recordings at another rate instead of refusing them
    downmix: bool  # average the channels of recordings that are not mono
    allow_silent: bool  # accept clips of digital silence

    @property
    def samples(self) -> int:
        """The length of a clip."""
        return round(self.seconds * self.sample_rate)
