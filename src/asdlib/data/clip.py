"""A clip: one recording of a machine, and what is known about it, whatever the layout of its folder."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from asdlib.data.listing import bare_name

KINDS = ("train", "test", "clean", "noise")
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, bytes outside UTF-8, line breaks


@dataclass(frozen=True)
class Clip:
    """A recording and its metadata; `domain` and `label` are None if unknown."""

    path: Path
    source_file: str  # <machine>/<folder>/<name>.wav; the name is unique in the machine
    section: str
    kind: str  # train, test, clean or noise
    domain: str | None
    label: str | None
    tail: str = ""  # the attributes as written in the file name
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the file, or the name that was made for it, without its extension."""
        return PurePosixPath(self.source_file).stem

    @property
    def bare(self) -> str:
        """The name by which rows of tables are matched."""
        return bare_name(self.source_file)

    @property
    def split(self) -> str:
        """The split of the challenge: train, test or supplemental."""
        return self.kind if self.kind in ("train", "test") else "supplemental"
