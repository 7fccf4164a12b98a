"""Check a machine's recordings and store them as clips of one length, one row per clip."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from asdlib.data.clip_audio import write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.selection import of_sections, read_machine

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareSettings(ClipFormat):
    """The clip format, and the selection of a machine's recordings."""

    sections: list[str]
    recordings: str | None  # a fingerprint of the files in a user's folder
    strict: bool  # whether wrong attributes and unknown supplements are errors; official archives may have them
    layout: str  # of the machine's folder, or that it is a table
    test_share: float  # of normal recordings, in a layout without test clips
    supplements: str | None  # the kind of the machine's supplements if the dataset's block states it: clean or noise


def prepare(recordings: Path, dataset: str, machine: str, out: Path, settings: PrepareSettings) -> None:
    """Write `out`: int16 audio with the length and sampling rate of the clip format, and the metadata of each clip.

    `recordings` is the machine's folder, or a table that has its recordings among others. Shorter recordings are padded
    with zeros at the end; longer ones are cut. The log has the number of both. Raises AsdError for a section without
    training or test clips.
    """
    read = (settings.layout, settings.strict, settings.supplements, settings.test_share)
    clips = of_sections(read_machine(recordings, machine, *read), recordings, machine, settings.sections)
    recipe = {"dataset": dataset, "machine": machine, **asdict(settings)}
    written = write_audio(clips, out, recipe, settings)
    _log.info(
        "%s/%s: %d clips, %d cut and %d padded to %g s",
        dataset,
        machine,
        written.clips,
        written.cut,
        written.padded,
        settings.seconds,
    )
    if split := sum(number > 1 for number in written.pieces):
        _log.info("%s/%s: %d recordings split into several clips", dataset, machine, split)
