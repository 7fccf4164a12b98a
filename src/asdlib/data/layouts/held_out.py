"""Which normal recordings are held out as test clips where a table or layout has none.

They are the last ones: those of the last sessions, or the last in the order of names. A detector that is tested on
pieces of a recording that it was trained on looks better than it is, so nothing is drawn at random.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath

from asdlib.data.layouts.recording import LayoutError, Recording

_NUMBER = re.compile(r"(\d+)")
_CUT = re.compile(r"[-_. ]*\d+\Z")  # the number of a piece at the end of a name
_MOST = 0.5  # the largest share that whole sessions may take, if the sessions are only known from the names


def with_kinds(recordings: Sequence[Recording], share: float) -> tuple[list[Recording], list[str]]:
    """Return all recordings with a kind, and phrases that say which were held out as test clips.

    In a section without any test clip, or with anomalies but without normal test clips, a share of the recordings
    without a kind becomes test clips. Everything else without a kind is trained on.
    """
    result, said = [], []
    ordered = sorted(recordings, key=_section_of)
    for (machine, section), group in groupby(ordered, key=_section_of):
        own = list(group)
        undecided = [one for one in own if one.kind is None]
        tested = [one.label for one in own if one.kind == "test"]
        chosen: set[str] = set()
        if undecided and (not tested or ("anomaly" in tested and "normal" not in tested)):
            chosen, how = _held_out(undecided, share, f"{machine}, section {section}")
            held = f"{len(chosen)} of {len(undecided)} normal recordings are held out as test clips (test_share)"
            said.append(f"{machine}, section {section}: {held}, {how}")
        result += [one if one.kind else replace(one, kind="test" if one.file in chosen else "train") for one in own]
    return result, said


def in_order(text: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as people do: `clip_9` before `clip_10`."""
    parts = [part for part in _NUMBER.split(text.casefold()) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _section_of(recording: Recording) -> tuple[str, str]:
    return recording.machine, recording.section


def _held_out(undecided: list[Recording], share: float, where: str) -> tuple[set[str], str]:
    """Return the files that are held out, and by what order."""
    if len(undecided) < 2:
        raise LayoutError(f"{where}: has 1 normal recording, which cannot be both trained on and tested: add more")
    count = min(max(1, round(share * len(undecided))), len(undecided) - 1)
    ordered = sorted(undecided, key=lambda one: (in_order(_session(one)), in_order(one.file)))
    sessions = [[one.file for one in group] for _, group in groupby(ordered, key=_session)]
    taken: list[str] = []
    while len(sessions) > 1 and len(taken) < count:
        taken += sessions.pop()
    stated = all(one.session is not None for one in ordered)
    if len(taken) >= count and (stated or len(taken) <= max(count, _MOST * len(ordered))):
        return set(taken), "the last sessions" if stated else "the last in the order of names, pieces of one together"
    files = sorted((one.file for one in undecided), key=in_order)
    return set(files[-count:]), "the last in the order of names"


def _session(recording: Recording) -> str:
    """Return the stated session, otherwise the name without the number of a piece."""
    if recording.session is not None:
        return recording.session
    return _CUT.sub("", str(PurePosixPath(recording.file).with_suffix("")))
