"""Check a machine's recordings and store them as clips of one length, one row a clip."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from asdlib.data.clip_audio import write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.layout import Clip, scan
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareSettings(ClipFormat):
    """The clip format, and which of a machine's recordings are wanted."""

    sections: list[str]
    recordings: str | None  # a fingerprint of the files, for recordings in a folder of the user's
    strict: bool  # refuse attributes that are wrong; official archives have quirks of their own


def prepare(recordings: Path, dataset: str, machine: str, out: Path, settings: PrepareSettings) -> None:
    """Write `out`: int16 audio of the format's length and rate and each clip's metadata.

    Shorter recordings are padded with zeros at the end, longer ones lose their end; the log counts both.
    """
    clips = _wanted(scan(recordings, machine, settings.strict), recordings, machine, settings.sections)
    recipe = {"dataset": dataset, "machine": machine, **asdict(settings)}
    cut, padded = write_audio(clips, out, recipe, settings)
    _log.info(
        "%s/%s: %d clips, %d cut and %d padded to %g s",
        dataset,
        machine,
        len(clips),
        cut,
        padded,
        settings.seconds,
    )


def _wanted(clips: list[Clip], recordings: Path, machine: str, sections: list[str]) -> list[Clip]:
    """Return the clips of the run's sections, each of which needs something to learn from and something to score."""
    present = {(clip.section, clip.kind) for clip in clips}
    for section in sections:
        for kind in ("train", "test"):
            if (section, kind) not in present:
                raise AsdError(
                    f"{recordings / kind}: machine {machine} has no {kind} clips of section {section}: "
                    "add recordings, or leave the section out"
                )
    wanted = [clip for clip in clips if clip.section in sections]
    if len(wanted) < len(clips):
        others = ", ".join(sorted({clip.section for clip in clips} - set(sections)))
        _log.warning("%s: %d clips of other sections (%s) left out", recordings, len(clips) - len(wanted), others)
    return wanted
