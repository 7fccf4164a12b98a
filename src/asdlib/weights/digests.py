"""The digest of our safetensors files, which stands in their header and is checked whenever they are read.

The format itself has no checksum: a wrong byte would be another weight, or another name or shape of a tensor.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError
from xxhash import xxh3_128

from asdlib.errors import REFUSED, AsdError, TooFewClipsError

ORIGIN = "asdlib"  # our only entry in the header, as JSON: safetensors writes several in arbitrary order
_METADATA = "__metadata__"
_CHUNK = 1 << 20  # bytes


def with_digest(file: BinaryIO) -> str:
    """Return our entry in the header of a safetensors file, completed by the digest of the file."""
    origin, digest = _digested(file)
    return json.dumps({**origin, "digest": digest}, sort_keys=True)


@contextmanager
def checked(path: Path) -> Iterator[dict[str, Any]]:
    """Check the digest of a file, and yield our entry in its header while the block reads the tensors.

    Raises AsdError if the file is missing or damaged, or has no digest, and TooFewClipsError if it says that a training
    was refused.
    """
    try:
        with path.open("rb") as file:
            origin, digest = _digested(file)
        if "digest" not in origin:
            raise AsdError(
                f"{path}: has no digest (an earlier version wrote it, or it is damaged): delete it and run again"
            )
        if origin["digest"] != digest:
            raise AsdError(f"{path}: is damaged (it does not match its digest): delete it and run again")
        if refused := origin["facts"].get(REFUSED):
            raise TooFewClipsError(refused)
        yield origin
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (SafetensorError, OSError, _NoHeader) as error:
        raise AsdError(f"{path}: is not a whole safetensors file ({error}): delete it and run again") from error


class _NoHeader(Exception):
    """A file does not begin with a header of safetensors."""


def _digested(file: BinaryIO) -> tuple[dict[str, Any], str]:
    """Return our entry in the header of a file, and the digest of everything in it except a digest in this entry.

    That is the names, types, shapes and values of all tensors, the recipe and the facts.
    """
    header = _header(file)
    origin = header[_METADATA][ORIGIN]
    content = xxh3_128()
    rest = {name: value for name, value in origin.items() if name != "digest"}
    content.update(json.dumps([{**header, _METADATA: {**header[_METADATA], ORIGIN: rest}}], sort_keys=True).encode())
    while chunk := file.read(_CHUNK):
        content.update(chunk)
    return origin, content.hexdigest()


def _header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a file, with our entry as a dictionary."""
    size = int.from_bytes(file.read(8), "little")
    if size > os.fstat(file.fileno()).st_size:
        raise _NoHeader("it ends in its header")
    try:
        header = json.loads(file.read(size))
        metadata = header.get(_METADATA, {})
        return {**header, _METADATA: {**metadata, ORIGIN: dict(json.loads(metadata.get(ORIGIN, "{}")))}}
    except (ValueError, TypeError, AttributeError) as error:
        raise _NoHeader("its header cannot be read") from error
