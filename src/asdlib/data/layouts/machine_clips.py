"""The clips of recordings in a table or a layout: every layout ends in the same list of clips as the challenge's."""

import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from asdlib.data.clip import KINDS, UNPRINTABLE, Clip
from asdlib.data.layouts.folders import read_folder
from asdlib.data.layouts.held_out import with_kinds
from asdlib.data.layouts.recording import LayoutError, Recording
from asdlib.data.layouts.table import read_table
from asdlib.data.listing import bare_name

TABLE = "table"


def read_clips(place: Path, machine: str, layout: str, test_share: float) -> list[Clip]:
    """Return the clips of a machine in a table, or in the machine's folder, in a fixed order."""
    found = read_table(place).of(machine) if layout == TABLE else list(read_folder(place, machine, layout))
    return clips_of(found, place, test_share)[0]


def clips_of(recordings: Sequence[Recording], place: Path, test_share: float) -> tuple[list[Clip], list[str]]:
    """Return recordings of one machine as clips, ordered by kind and name, and phrases about those that are held out.

    Raises AsdError for a section without training or test clips; `place` begins the message.
    """
    known, said = with_kinds(recordings, test_share)
    for machine, section in sorted({(one.machine, one.section) for one in known if one.kind in ("train", "test")}):
        kinds = {one.kind for one in known if one.section == section}
        for kind in ("train", "test"):
            if kind not in kinds:
                what = "normal recordings to train on" if kind == "train" else "test clips"
                raise LayoutError(f"{place}: machine {machine} has no {what} in section {section}: add some")
    names = _names([one.file for one in known])
    clips = [_clip(one, names[one.file]) for one in known]
    return sorted(clips, key=lambda clip: (KINDS.index(clip.kind), clip.name, clip.source_file)), said


def _clip(recording: Recording, name: str) -> Clip:
    if any(unicodedata.category(character) in UNPRINTABLE for character in recording.file):
        raise LayoutError(f"{recording.path}: its name has control characters or bytes outside UTF-8: rename it")
    kind = recording.kind or ""
    split = kind if kind in ("train", "test") else "supplemental"
    return Clip(
        recording.path,
        f"{recording.machine}/{split}/{name}",
        recording.section,
        kind,
        recording.domain,
        recording.label,
        attributes=recording.attributes,
    )


def _names(files: Sequence[str]) -> dict[str, str]:
    """Return a name for each file of a machine: its path with `__` for `/`, without spaces at the ends.

    Names that would be the same get a checksum of the path, so that a name depends on few other files.
    """
    plain = {file: _plain(file) for file in files}
    numbers = Counter(bare_name(name).casefold() for name in plain.values())
    return {
        file: name if numbers[bare_name(name).casefold()] == 1 else _distinct(file, name)
        for file, name in plain.items()
    }


def _plain(file: str) -> str:
    path = PurePosixPath(file)
    parts = [path.name] if path.is_absolute() else [part for part in path.parts if part != ".."]
    return "__".join(part.strip() for part in parts)


def _distinct(file: str, name: str) -> str:
    path = PurePosixPath(name)
    return f"{path.stem}__{zlib.crc32(file.encode()):08x}{path.suffix}"
