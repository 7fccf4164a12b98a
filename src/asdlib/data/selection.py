"""The clips of a machine that a run uses: read as its layout says, and of the run's sections alone."""

import logging
from collections.abc import Sequence
from pathlib import Path

from asdlib.data.clip import Clip
from asdlib.data.layout import scan
from asdlib.data.layouts.folders import CHALLENGE
from asdlib.data.layouts.machine_clips import read_clips
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


def read_machine(
    recordings: Path, machine: str, layout: str, strict: bool, supplements: str | None, test_share: float
) -> list[Clip]:
    """Return the clips of a machine in its folder, or in a table that has its recordings among others.

    `strict` and `supplements` are those of `scan`. `test_share` is the share of normal recordings that are held out in
    a layout without test clips.
    """
    if layout == CHALLENGE:
        return scan(recordings, machine, strict, supplements)
    return read_clips(recordings, machine, layout, test_share)


def of_sections(clips: list[Clip], recordings: Path, machine: str, sections: Sequence[str]) -> list[Clip]:
    """Return the clips of the run's sections. Raises AsdError for a section without training or test clips."""
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
