"""Records of what the workflow made, which tell it from what a user put in its place or changed there.

The record of `fan` is `.fan.made` beside it: the size, modification time and SHA-256 of its files.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.errors import AsdError

_TIMESTAMP = ".snakemake_timestamp"  # Snakemake's own file in a folder that a rule makes
_ROUNDED = 2.0  # s to which a file system may round the time of a file
Record = dict[str, list[Any]]  # relative name ("." for a file): size, modification time, SHA-256


def record(path: Path) -> None:
    """Write the record of a file or folder that was just made."""
    _write(path, {name: [*_status(entry), _sha256(entry)] for name, entry in _files(path).items()})


def altered(path: Path) -> Path | None:
    """Return a file in `path` (or `path` itself) that is not as it was recorded; None if there is none.

    Without a record everything counts as altered. Files that were removed do not count. Contents are compared where
    times differ: Snakemake sets the time of its outputs, and a copy of the workflow's folder has new times. The record
    is then brought up to date, so that this happens once.
    """
    known, new = _read(path), {}
    for name, entry in sorted(_files(path).items()):
        if name not in known:
            return entry
        size, time, sha256 = known[name]
        found_size, found_time = _status(entry)
        if found_size != size:
            return entry
        if abs(found_time - time) > _ROUNDED:
            if _sha256(entry) != sha256:
                return entry
            new[name] = [size, found_time, sha256]
    if new:
        with suppress(OSError, AsdError):  # a folder that this user only reads
            _write(path, known | new)
    return None


def refuse_altered(path: Path) -> None:
    """Raise AsdError if something in `path` is not as it was recorded."""
    found = altered(path)
    if found:
        raise AsdError(f"{found}: was added or changed by hand and would be replaced: move it away, then run again")


def _files(path: Path) -> dict[str, Path]:
    """Return {relative name: path} of all files and links in a folder; those of a file or link are {".": path}."""
    if not os.path.lexists(path):
        return {}
    if path.is_symlink() or not path.is_dir():
        return {".": path}
    inside = [Path(parent, name) for parent, folders, names in os.walk(path) for name in [*folders, *names]]
    kept = [entry for entry in inside if entry.name != _TIMESTAMP and (entry.is_symlink() or not entry.is_dir())]
    return {entry.relative_to(path).as_posix(): entry for entry in kept}


def _status(entry: Path) -> tuple[int, float]:
    status = entry.lstat()
    return status.st_size, status.st_mtime


def _sha256(entry: Path) -> str:
    """Return the SHA-256 of a file's content; of a link, that of its target's name; of anything else, nothing."""
    if entry.is_symlink():
        return hashlib.sha256(os.fsencode(entry.readlink())).hexdigest()
    if not entry.is_file():
        return ""
    with entry.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read(path: Path) -> Record:
    """Return the record of `path`; empty if there is none or if it cannot be read, so that nothing is deleted."""
    try:
        found = json.loads(_beside(path).read_text(encoding="utf-8"))
        return {name: [size, time, sha256] for name, (size, time, sha256) in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(path: Path, content: Record) -> None:
    with atomic(_beside(path)) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")
