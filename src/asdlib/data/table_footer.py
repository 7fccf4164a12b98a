"""The digest of a clip table's footer, which is checked before the footer is parsed.

A Parquet file ends with its footer: the schema, the places of the columns and the metadata. Nothing in the format
protects it, and a single wrong byte can hide rows or abort the process inside the parser. So a clip table has a digest
of its footer, in front of it. Readers find a footer from the end of the file, so other programs do not see the digest.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from xxhash import xxh3_128

from asdlib.errors import AsdError

_END = b"PAR1"
_TAIL = 8  # the last bytes of a Parquet file: the length of its footer (4 bytes) and `_END`
_MARK = b"asdlib footer: "  # followed by the digest
_DIGEST = 16  # bytes


def seal(path: Path) -> None:
    """Insert the digest in front of the footer of a finished Parquet file."""
    with path.open("r+b") as handle:
        handle.seek(-_TAIL, os.SEEK_END)
        size = _TAIL + int.from_bytes(handle.read(4), "little")
        handle.seek(-size, os.SEEK_END)
        footer = handle.read()
        handle.seek(-size, os.SEEK_END)
        handle.write(_MARK + xxh3_128(footer).digest() + footer)


@contextmanager
def one_line(path: Path, problem: str) -> Iterator[None]:
    """Raise errors of pyarrow and of the disk as an AsdError, which says the `problem` and the reason."""
    try:
        yield
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise AsdError(f"{path}: {problem} ({reason}): delete it and run again") from error


def open_checked(path: Path) -> pa.NativeFile:
    """Open a clip table whose footer matches its digest; raise AsdError for any other file."""
    with one_line(path, "cannot be read"):
        file = pa.OSFile(str(path))
        size = file.size()
        tail = _read(file, max(size - _TAIL, 0), size)
        start = size - _TAIL - int.from_bytes(tail[:4], "little")
        if tail[4:] != _END or start < 0:
            raise AsdError(f"{path}: is not a whole Parquet file (it has no end): delete it and run again")
        sealed = _read(file, max(start - len(_MARK) - _DIGEST, 0), size)
    mark, digest, footer = sealed[: len(_MARK)], sealed[len(_MARK) :][:_DIGEST], sealed[len(_MARK) + _DIGEST :]
    if mark != _MARK:
        raise AsdError(
            f"{path}: is not a clip table of this version, or is damaged (its footer has no digest): delete it and run"
            " again"
        )
    if digest != xxh3_128(footer).digest():
        raise AsdError(f"{path}: is damaged (its footer does not match its digest): delete it and run again")
    return file


def _read(file: pa.NativeFile, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)
