"""A recording as a table or a layout describes it, before it is a clip with a split and a name of its own."""

from dataclasses import dataclass, field
from pathlib import Path

from asdlib.errors import AsdError

SOURCE = "source"  # the domain of recordings of which none is stated
FIRST = "00"  # the section of recordings of which none is stated


@dataclass(frozen=True)
class Recording:
    """What is known about a file; `kind` is None for a normal recording that may be held out for the test."""

    path: Path
    file: str  # relative to the table or to the machine's folder, with /
    machine: str
    section: str = FIRST
    kind: str | None = None  # train, test, clean or noise
    label: str | None = None
    domain: str | None = SOURCE
    session: str | None = None  # recordings of one session are held out together
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The recordings of a dataset and, as phrases to print, how they were understood, and what may be a mistake."""

    recordings: list[Recording]
    understood: list[str]
    doubts: list[str] = field(default_factory=list)

    @property
    def machines(self) -> list[str]:
        """The machines, sorted."""
        return sorted({recording.machine for recording in self.recordings})

    def of(self, machine: str) -> list[Recording]:
        """Return the recordings of a machine."""
        return [recording for recording in self.recordings if recording.machine == machine]


class LayoutError(AsdError):
    """Raised for a table or layout that cannot be understood."""
