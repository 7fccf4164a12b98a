"""Store what the far microphone recorded, as clips that are the same rows as those of `prepare`."""

from pathlib import Path

from asdlib.steps.prepare import PrepareSettings, prepare


def prepare_far(recordings: Path, dataset: str, machine: str, out: Path, settings: PrepareSettings) -> None:
    """Write `out` as `prepare` does, of the channel `far` that `settings` names.

    The table is made where a recipe reads it, so that what `prepare` writes does not depend on recipes. Raises AsdError
    also for a recording with one channel.
    """
    prepare(recordings, dataset, machine, out, settings)
