"""How far a download is: for the eye, or for the log."""

import logging
import time

from tqdm import tqdm

LOG = logging.getLogger(__name__)


class TransferProgress:
    """A bar on a terminal; in a log, a line every `_EVERY` seconds."""

    _EVERY = 15.0

    def __init__(self, name: str, total: int | None, done: int):
        """`total` is in bytes, or None if nobody knows; `done` of them are on disk already."""
        self.name, self.total, self.done = name, total, done
        self.spoken = time.monotonic()
        self.bar = tqdm(desc=name, total=total, initial=done, unit="B", unit_scale=True, leave=False, disable=None)

    def __enter__(self) -> "TransferProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def add(self, count: int) -> None:
        """Say that `count` more bytes are on disk."""
        self.done += count
        self.bar.update(count)
        if self.bar.disable and time.monotonic() - self.spoken > self._EVERY:
            self.spoken = time.monotonic()
            share = f" of {self.total / 2**20:.0f}" if self.total else ""
            LOG.info("%s: %.0f%s MiB", self.name, self.done / 2**20, share)
