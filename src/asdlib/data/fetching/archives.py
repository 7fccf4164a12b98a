"""Safe unpacking of zip archives from untrusted sources.

All names and sizes are checked before anything is written. The members are then written to a hidden folder, which is
renamed when all of them are there and their checksums are correct.
"""

import errno
import filecmp
import lzma
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdlib.data.files import atomic
from asdlib.errors import AsdError

_DRIVE = re.compile(r"^[A-Za-z]:")
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)
_BAD_NUMBERS = (errno.EINVAL, errno.ENAMETOOLONG)  # an invalid offset, a name too long for the disk


@dataclass(frozen=True)
class Limits:
    """Limits on an archive's content; a DCASE archive has less than 1 GB and fewer than 5,000 recordings."""

    members: int = 50_000
    size: int = 16 << 30  # bytes of all members together, unpacked
    ratio: float = 200.0  # unpacked over packed size; sound shrinks to a half, silence to a thousandth,
    free: int = 64 << 20  # so the ratio is only checked above this many unpacked bytes


def unpack(archive: Path, folder: Path, *, strip: str | None = None, limits: Limits | None = None) -> list[str]:
    """Unpack a zip archive into `folder` and return the sorted relative names of its files.

    `strip` is the name of a folder in the archive (DCASE: the machine). Its content goes into `folder`, and everything
    above it is dropped; an archive without such a folder is unpacked as it is.

    A new `folder` appears complete or not at all. If `folder` exists, the files are merged into it: a file with the
    same content may already be there, a different one is an error.

    Raises AsdError, before `folder` changes, for names that leave the folder, links, duplicates, encrypted members, zip
    bombs and damaged archives.
    """
    with _readable(archive) as file:
        members = _checked(archive, file, strip, limits or Limits())
        if folder.exists():
            _unpack_into(archive, file, members, folder)
        else:
            with atomic(folder) as temporary:
                _extract(file, members, temporary)
    return sorted(members)


@contextmanager
def _readable(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; raise AsdError if zipfile fails to read it while the block runs."""
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _BAD_NUMBERS:
            raise
        raise AsdError(f"{archive}: damaged archive ({error}): remove it and run again to download it") from error


def _checked(archive: Path, file: zipfile.ZipFile, strip: str | None, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """Return the members to unpack as {new name: member}; raise AsdError if any member is unsafe."""
    infos = file.infolist()
    _refuse_bombs(archive, infos, limits)
    for info in infos:
        _refuse_member(archive, info)
    files = [info for info in infos if not info.is_dir() and not _is_litter(info.filename)]
    if not files:
        raise AsdError(f"{archive}: contains no files: remove it and run again to download it")
    return _unique(archive, files, strip)


def _refuse_bombs(archive: Path, infos: list[zipfile.ZipInfo], limits: Limits) -> None:
    size = sum(info.file_size for info in infos)
    packed = max(archive.stat().st_size, 1)
    for is_there, what in (
        (len(infos) > limits.members, f"has {len(infos)} members, at most {limits.members} are allowed"),
        (size > limits.size, f"unpacks to {size} bytes, at most {limits.size} are allowed"),
        (size > limits.free and size / packed > limits.ratio, f"unpacks to {size / packed:.0f} times its size"),
    ):
        if is_there:
            raise AsdError(f"{archive}: {what}: not a DCASE archive, remove it")


def _refuse_member(archive: Path, info: zipfile.ZipInfo) -> None:
    """Raise AsdError unless the member is a regular file or folder with a plain relative name."""
    name = info.orig_filename  # zipfile has already sanitised `filename`
    parts = name.removesuffix("/").split("/")
    mode = stat.S_IFMT(info.external_attr >> 16)
    plain = stat.S_IFDIR if info.is_dir() else stat.S_IFREG
    problems = {
        "a control character in the name": any(ord(letter) < 32 or ord(letter) == 127 for letter in name),
        "a name of another operating system": "\\" in name or bool(_DRIVE.match(name)),
        "an absolute name": name.startswith("/"),
        "a name that leaves its folder": any(part in ("", ".", "..") for part in parts),
        "a link or device": mode not in (0, plain),  # 0: packed on a system without file modes
        "an encrypted member": bool(info.flag_bits & 0x1),
    }
    for problem, is_there in problems.items():
        if is_there:
            raise AsdError(f"{archive}: {problem} ({name!r}): not unpacked; remove the archive and check its source")


def _is_litter(name: str) -> bool:
    """Return whether a member is metadata that macOS adds to archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1] == ".DS_Store" or parts[-1].startswith("._")


def _unique(archive: Path, files: list[zipfile.ZipInfo], strip: str | None) -> dict[str, zipfile.ZipInfo]:
    """Return the files as {new name: member}; raise AsdError if two names are equal, ignoring case."""
    names = _stripped([info.filename for info in files], strip)
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise AsdError(f"{archive}: contains {name!r} twice: not unpacked; remove the archive and check its source")
        seen.add(name.casefold())
    for name in names:
        for parent in list(PurePosixPath(name).parents)[:-1]:
            if str(parent).casefold() in seen:
                raise AsdError(
                    f"{archive}: {str(parent)!r} is both a file and a folder: not unpacked; remove the archive and "
                    "check its source"
                )
    return dict(zip(names, files, strict=True))


def _stripped(names: list[str], strip: str | None) -> list[str]:
    if strip is None or not any(strip in PurePosixPath(name).parts[:-1] for name in names):
        return names
    return [_below(name, strip) for name in names]


def _below(name: str, strip: str) -> str:
    """Return the part of a name below the folder `strip`; a file outside that folder keeps its name."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[parts.index(strip) + 1 :]) if strip in parts[:-1] else name


def _extract(file: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> None:
    for name, info in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with file.open(info) as source, path.open("xb") as target:  # reading checks the CRC
            shutil.copyfileobj(source, target, 1 << 20)


def _unpack_into(archive: Path, file: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> None:
    """Unpack to a temporary folder, then move the files; move none if one is already there with other content."""
    with tempfile.TemporaryDirectory(prefix=".unpack.", dir=folder) as aside:
        _extract(file, members, Path(aside))
        for name in members:
            if (folder / name).exists() and not _same(folder / name, Path(aside) / name):
                raise AsdError(f"{archive}: {name} differs from the one already in {folder}: remove the wrong one")
        for name in members:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(aside) / name).replace(folder / name)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and filecmp.cmp(one, other, shallow=False)
