"""The recordings that appear in a folder while a program watches it."""

import os
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.listing import recordings, status

State = tuple[int, int]  # size and modification time (ns)


@dataclass(frozen=True)
class Seen:
    """The names of recordings that are not returned again, and those that are if they have another state."""

    finished: frozenset[str]
    failed: dict[str, State]


class Arrivals:
    """Looks into a folder again and again and returns each recording once, when it is complete.

    A recording is complete when it has the same size and modification time in two looks in a row. A name is not
    returned again until the recording has gone from the folder, except after `failed`: then also when it has changed.

    Recordings that are there at the beginning are left out, unless `existing` is set. If another process has looked
    before, they are those that it has `seen`, and what has come since is new. `left_out` is their number.
    """

    def __init__(self, folder: Path, existing: bool, seen: Seen | None = None):
        self._folder = folder
        present = {entry.name for entry in recordings(folder)}
        if seen:
            self._finished = present & seen.finished
        else:
            self._finished = set() if existing else present
        self._last: dict[str, State] = {}
        self._failed: dict[str, State] = dict(seen.failed) if seen else {}
        self._due: set[str] = set()  # returned, and neither done nor failed
        self.left_out = len(self._finished)

    @property
    def seen(self) -> Seen:
        """What another process that looks into the folder later need not return."""
        return Seen(frozenset(self._finished - self._due), dict(self._failed))

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
        self._due.update(new)
        return [self._folder / name for name in sorted(new, key=lambda name: (states[name][1], name))]

    def done(self, path: Path) -> None:
        """Count a recording that was returned among those that have been seen."""
        self._due.remove(path.name)

    def failed(self, path: Path) -> None:
        """Forget a recording that could not be read, so that it is returned again if it changes.

        It may not have been complete.
        """
        self._due.remove(path.name)
        self._finished.remove(path.name)
        self._failed[path.name] = self._last[path.name]


def _state(entry: os.DirEntry) -> State | None:
    """Return the state of a file; None if it has gone since it was listed."""
    try:
        found = status(entry)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
