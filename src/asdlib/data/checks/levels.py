"""Recordings that are silent, nearly silent or clipped."""

from collections.abc import Iterator, Sequence

from asdlib.data.checks.problem import ERROR, WARNING, Problem
from asdlib.data.checks.sounds import Sound
from asdlib.data.clip_format import SPLIT, ClipFormat
from asdlib.errors import and_more

QUIETEST = -70.0  # dBFS: an RMS of ten steps of 16 bits
CLIPPED = 1e-4  # the largest share of samples at full scale that is not reported


def levels(sounds: Sequence[Sound], wanted: ClipFormat) -> Iterator[Problem]:
    """Yield lines about the recordings whose level was measured."""
    heard = [one for one in sounds if one.level]
    silent = [one for one in heard if not one.level.peak]
    if silent:
        level = WARNING if wanted.allow_silent else ERROR
        what = f"{silent[0].path}: is digital silence{and_more(silent)}"
        yield Problem(level, f"{what}: replace or remove it, or set prepare: {{allow_silent: true}}")
    pauses = [one for one in heard if one.level.pause is not None and one.level.peak]
    if pauses and wanted.longer == SPLIT and not wanted.allow_silent:
        what = f"is digital silence from {pauses[0].level.pause:.6g} s on, for a whole clip{and_more(pauses)}"
        yield Problem(ERROR, f"{pauses[0].path}: {what}: cut it out, or set prepare: {{allow_silent: true}}")
    quiet = sorted(
        (one for one in heard if one.level.peak and one.level.dbfs < QUIETEST), key=lambda one: one.level.rms
    )
    if quiet:
        what = f"is nearly silent (RMS {quiet[0].level.dbfs:.1f} dBFS, below {QUIETEST:g}){and_more(quiet)}"
        yield Problem(WARNING, f"{quiet[0].path}: {what}: raise the gain of the recorder, or remove it")
    clipped = sorted((one for one in heard if one.level.clipped > CLIPPED), key=lambda one: -one.level.clipped)
    if clipped:
        what = f"is clipped: {100 * clipped[0].level.clipped:.2g} % of its samples are at full scale{and_more(clipped)}"
        yield Problem(WARNING, f"{clipped[0].path}: {what}: lower the gain of the recorder, or remove it")
