"""The table of recordings, and the lines about systems, that `asdlib check` prints."""

from collections.abc import Sequence
from itertools import groupby

from asdlib.commands.text_table import text_table
from asdlib.data.checks.groups import Group
from asdlib.data.checks.preparation import span
from asdlib.data.checks.sounds import HEARD_SECONDS
from asdlib.planning.requirements import Verdict

HEADS = (
    "machine", "section", "kind", "domain", "label", "recordings", "clips", "seconds", "Hz", "channels", "RMS dBFS",
    "peak dBFS", "clipped %",
)  # fmt: skip


def recordings_table(groups: Sequence[Group]) -> str:
    """Return one line for each group of recordings."""
    rows = [
        (
            group.machine,
            group.section,
            group.kind,
            group.domain or "–",
            group.label or "–",
            f"{group.recordings}",
            f"{group.clips}",
            span(group.seconds),
            ", ".join(map(str, group.rates)),
            ", ".join(map(str, group.channels)),
            *_levels(group),
        )
        for group in groups
    ]
    return text_table(HEADS, rows, left=5)


def levels_are_of(groups: Sequence[Group], everything: bool) -> str:
    """Return a sentence that says of what the levels are."""
    what = "Levels: median and range of the RMS, highest peak, share of samples at full scale"
    if everything:
        return f"{what}."
    heard, there = sum(group.heard for group in groups), sum(group.recordings for group in groups)
    return f"{what}, of {heard} of {there} recordings and up to {HEARD_SECONDS:g} s of each (--all: of everything)."


def systems_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return lines that say which variants can run; variants of a system that are alike share them."""
    lines = []
    for (system, refusals, notes), group in groupby(verdicts, lambda one: (one.system, one.refusals, one.notes)):
        variants = ", ".join(one.variant for one in group)
        lines.append(f"{system} ({variants}): {'cannot run' if refusals else 'can run'}")
        lines += [f"  because of {reason}" for reason in refusals]
        lines += [f"  {note}" for note in notes]
    return lines


def _levels(group: Group) -> tuple[str, str, str]:
    if not group.heard:
        return "–", "–", "–"
    low, high = group.rms_range
    return f"{group.rms:.1f} ({low:.1f} to {high:.1f})", f"{group.peak:.1f}", f"{100 * group.clipped:.2g}"
