"""Recordings that nothing reads, and folders with unusual names."""

import os
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from asdlib.data.checks.problem import WARNING, Problem
from asdlib.data.listing import FOLDERS, FORMATS, OTHER_FORMATS, conversion, entries, is_folder
from asdlib.errors import AsdError

_DEEPEST = 8  # levels of folders below the one that is checked


def unused_recordings(
    tops: Iterable[Path], used: Collection[Path], told: Collection[Path], remedy: str
) -> Iterator[Problem]:
    """Yield a line for each folder, at any depth, with recordings that are not used or cannot be read.

    `told` are folders about which a line exists already.
    """
    for folder in dict.fromkeys(inner for top in tops for inner in _folders(top, _DEEPEST)):
        if folder not in told:
            yield from unused_in(folder, used, remedy)


def unused_in(folder: Path, used: Collection[Path], remedy: str) -> Iterator[Problem]:
    """Yield lines about the recordings in a folder that are not used."""
    try:
        names = [entry.name for entry in entries(folder) if not is_folder(entry)]
    except AsdError as error:
        yield Problem(WARNING, str(error))
        return
    endings = Counter(ending for name in names if (ending := _ending(name)) in FORMATS and folder / name not in used)
    if endings:
        yield Problem(WARNING, f"{folder}: {_counted(endings)} not used: {remedy}")
    unreadable = [name for name in names if _ending(name) in OTHER_FORMATS]
    if unreadable:
        counted = _counted(Counter(map(_ending, unreadable)))
        yield Problem(WARNING, f"{folder}: {counted} not in a format that is read: {conversion(unreadable[0])}")


def capitals(place: Path) -> Iterator[Problem]:
    """Yield a line for each folder such as `Train`, which is read, but not by other programs of the challenge."""
    for entry in entries(place) if is_folder(place) else []:
        usual = entry.name.lower()
        if is_folder(entry) and usual in FOLDERS and entry.name != usual:
            move = shlex.join(["mv", entry.path, os.fspath(place / usual)])
            what = f"is read as {usual}, which other programs do not"
            yield Problem(WARNING, f"{entry.path}: {what}: rename it: {move}")


def _folders(top: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those in it, except links, which may lead back."""
    yield top
    with suppress(AsdError):  # a folder that cannot be read: `unused_in` says so
        for entry in entries(top) if depth else []:
            if entry.is_dir(follow_symlinks=False):
                yield from _folders(Path(entry), depth - 1)


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _counted(endings: Counter[str]) -> str:
    counted = ", ".join(f"{number} × {ending}" for ending, number in endings.most_common())
    return f"{counted} {'is' if endings.total() == 1 else 'are'}"
