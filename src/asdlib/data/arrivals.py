"""The recordings that appear in a folder while a program watches it."""

import os
from pathlib import Path

from asdlib.data.listing import recordings, status

State = tuple[int, int]  # size and modification time (ns)


class Arrivals:
    """Looks into a folder again and again and returns each recording once, when it is complete.

    A recording is complete when it has the same size and modification time in two looks in a row. A name is not
    returned again until the recording has gone from the folder, except after `failed`: then also when it has changed.

    Recordings that are there at the beginning are left out, unless `existing` is set; `left_out` is their number.
    """

    def __init__(self, folder: Path, existing: bool):
        self._folder = folder
        self._finished = set() if existing else {entry.name for entry in recordings(folder)}
        self._last: dict[str, State] = {}
        self._failed: dict[str, State] = {}
        self.left_out = len(self._finished)

    def look(self) -> list[Path]:
        """Return the recordings that have become complete, in the order of their modification.

        Raises AsdError if the folder cannot be read.
        """
        found = {entry.name: entry for entry in recordings(self._folder)}
        self._finished &= found.keys()
        listed = {name: _state(entry) for name, entry in found.items() if name not in self._finished}
        states = {name: state for name, state in listed.items() if state}
        complete = [name for name, state in states.items() if self._last.get(name) == state]
        new = [name for name in complete if self._failed.get(name) != states[name]]
        self._failed = {name: state for name, state in self._failed.items() if name in states}
        self._last = states
        self._finished.update(new)
        return [self._folder / name for name in sorted(new, key=lambda name: (states[name][1], name))]

    def failed(self, path: Path) -> None:
        """Return a recording again if it changes: what could not be read may not have been complete."""
        self._finished.remove(path.name)
        self._failed[path.name] = self._last[path.name]


def _state(entry: os.DirEntry) -> State | None:
    """Return the state of a file; None if it has gone since it was listed."""
    try:
        found = status(entry)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
