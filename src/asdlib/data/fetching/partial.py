"""The part of a file that has arrived, and what it remembers of its origin.

Two files lie beside the target: `<name>.part` has the bytes, `<name>.part.json` their address, the file's size and what
identifies its revision. Bytes of one revision are never continued with those of another.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from asdlib.data.fetching.headers import validator_of
from asdlib.data.files import atomic
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


class Part:
    """The part of one file."""

    def __init__(self, target: Path):
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")

    @property
    def length(self) -> int:
        """The number of bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Remove the part and its note."""
        if self.length:
            _log.info("%s: %d bytes are not continued; starting over", self.path, self.length)
        self.path.unlink(missing_ok=True)  # first: a part without a note is not continued
        self.note.unlink(missing_ok=True)

    def continuation(self, url: str, size: int | None, verified: bool) -> dict[str, str]:
        """Return the headers that ask for the rest; discard the part if it cannot be continued from `url`.

        Without a `validator`, a part is only continued if the whole will be `verified` by a checksum.
        """
        known = self.known()
        of_this_size = size is None or (known.get("size") in (None, size) and self.length <= size)
        identified = bool(known.get("validator")) or verified
        if known.get("address") != url or not of_this_size or not identified:
            self.discard()
        if not self.length:
            return {}
        return {"Range": f"bytes={self.length}-", **({"If-Range": known["validator"]} if known["validator"] else {})}

    def known(self) -> dict[str, Any]:
        """Return what the part remembers; empty if it remembers nothing."""
        try:
            known = json.loads(self.note.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(known, dict) or not {"address", "size", "validator"} <= known.keys():
            return {}
        text = known["validator"]
        return known if text is None or validator_of({"ETag": text, "Last-Modified": text}) else {}

    @contextmanager
    def start(self, url: str, size: int | None, validator: str | None) -> Iterator[BinaryIO]:
        """Discard what is here, remember the origin of what comes, and yield a handle to write it."""
        self.discard()
        with atomic(self.note) as temporary:
            temporary.write_text(json.dumps({"address": url, "size": size, "validator": validator}) + "\n", "utf-8")
        with self.resume() as handle:
            yield handle

    @contextmanager
    def resume(self) -> Iterator[BinaryIO]:
        """Yield a handle to append to the part."""
        try:
            handle = self.path.open("ab", buffering=0)  # a buffer is written again on closing, and its error is another
        except OSError as error:
            raise AsdError(
                f"{self.path}: cannot be written ({error.strerror}): free disk space, or make the folder writable"
            ) from error
        with handle:
            yield handle

    def write(self, handle: BinaryIO, chunk: bytes) -> None:
        """Write a chunk; report a full disk here, because a broken connection raises OSError as well."""
        try:
            rest = memoryview(chunk)
            while rest:  # without a buffer, a part of it may be written
                rest = rest[handle.write(rest) :]
        except OSError as error:
            raise AsdError(
                f"{self.path}: cannot be written ({error.strerror}): free disk space and run again"
            ) from error

    def complete(self) -> None:
        """Rename the part to its target."""
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)
