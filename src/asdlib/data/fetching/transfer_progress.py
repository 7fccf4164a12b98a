"""The progress of a download, on a terminal or in a log."""

import logging
import time

from tqdm import tqdm

from asdlib.errors import printable

_log = logging.getLogger(__name__)


class TransferProgress:
    """Shows a bar on a terminal; writes a line every `_EVERY` seconds to a log."""

    _EVERY = 15.0

    def __init__(self, name: str, total: int | None, done: int):
        """Start at `done` bytes, which are already on disk, of `total` (None if unknown)."""
        self.name, self.total, self.done = name, total, done
        self.spoken = time.monotonic()
        self.bar = tqdm(
            desc=printable(name), total=total, initial=done, unit="B", unit_scale=True, leave=False, disable=None
        )

    def __enter__(self) -> "TransferProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def add(self, count: int) -> None:
        """Add `count` bytes to those on disk."""
        self.done += count
        self.bar.update(count)
        if self.bar.disable and time.monotonic() - self.spoken > self._EVERY:
            self.spoken = time.monotonic()
            share = f" of {self.total / 2**20:.0f}" if self.total else ""
            _log.info("%s: %.0f%s MiB", self.name, self.done / 2**20, share)
