"""The formats of files of public weights, recognised by their first bytes."""

import json
from pathlib import Path

ZIPPED = b"PK\x03\x04"  # PyTorch's files since version 1.6
_PICKLED = (ZIPPED, b"\x80\x02\x8a\n")  # the second one: before


def is_pickled(path: Path) -> bool:
    """Return whether a file is one of PyTorch's own."""
    with path.open("rb") as handle:
        return handle.read(4) in _PICKLED


def is_weights(path: Path) -> bool:
    """Return whether a file begins as one of PyTorch's own or as safetensors: it is no web page, text or archive."""
    return is_pickled(path) or _has_safetensors_header(path)


def _has_safetensors_header(path: Path) -> bool:
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if length > path.stat().st_size - 8:
            return False
        try:
            return isinstance(json.loads(handle.read(length)), dict)
        except (ValueError, RecursionError):
            return False
