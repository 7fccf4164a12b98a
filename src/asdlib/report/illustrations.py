"""Files with a system's illustrations of the machines of a dataset, written by `illustrate` and read by `report`.

A file is a ZIP archive with one file of JSON for each machine, so that one machine at a time is in memory.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from asdlib.data.files import atomic
from asdlib.errors import AsdError

# What reading a damaged archive raises, wherever the damage is.
DAMAGE = (BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, RuntimeError, AttributeError)


def write_illustrations(path: Path, contents: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write the names of machines with the illustrations of each; the same contents give the same bytes."""
    with atomic(path) as temporary, ZipFile(temporary, "w") as archive:
        for machine, content in contents:
            member = ZipInfo(_name(machine))  # with the first date of ZIP
            member.external_attr = 0o644 << 16  # what `unzip` lets the user do
            archive.writestr(member, json.dumps(content, sort_keys=True))


def read_illustrations(path: Path, machine: str) -> dict[str, Any]:
    """Return a machine's illustrations of a file; raise AsdError if they cannot be read."""
    try:
        with ZipFile(path) as archive:
            content = json.loads(archive.read(_name(machine)))
        if not {"sections", "clips"} <= content.keys():
            raise ValueError(f"it holds no illustrations of {machine}")
        return content
    except DAMAGE as error:
        raise AsdError(f"{path}: cannot be read ({error}): delete it and run again") from error


def _name(machine: str) -> str:
    return f"{machine}.json"


def joined_clips(paths: list[Path], machine: str) -> Iterator[dict[str, Any]]:
    """Yield each clip that any of the systems shows of one machine, with all its sounds and the reasons it is shown."""
    clips: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        for clip in read_illustrations(path, machine)["clips"]:
            same = clips.setdefault((clip["section"], clip["clip"]), {**clip, "sounds": [], "shown": []})
            known = {sound["view"] for sound in same["sounds"]}
            same["sounds"] += [sound for sound in clip["sounds"] if sound["view"] not in known]
            same["shown"] += clip["shown"]
    yield from sorted(clips.values(), key=_place)


def _place(clip: dict[str, Any]) -> int:
    """Return the place of a clip: most anomalous ones first, then least anomalous ones, then all others."""
    return ("most", "least").index(clip["shown"][0]["end"]) if clip["shown"] else 2
