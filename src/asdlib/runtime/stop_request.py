"""A stop between two pieces of work: Ctrl-C and SIGTERM are noted, and the piece under way is finished."""

import os
import select
import signal
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Notes the first Ctrl-C or SIGTERM while the block runs; the second has its usual effect.

    A signal that is ignored stays ignored, as Ctrl-C is for a process in the background.
    """

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()  # a signal that comes before `wait` is not lost
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> bool:
        """Wait, at most until a signal comes, and return whether one has come."""
        return bool(select.select([self._reader], [], [], seconds)[0])

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        os.write(self._writer, b"!")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
