"""Signals end a training after its step, when its state has been stored.

SLURM sends SIGTERM before a time limit, a preemption or `scancel`, and waits (KillWait, usually 30 s) before it kills
the job. A training that ends between two steps loses nothing.
"""

import logging
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

import torch
import torch.distributed

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_log = logging.getLogger(__name__)


class Interruption:
    """Records the first signal while its block runs, instead of ending the process at once.

    A signal that is ignored stays ignored. Ctrl-C after another signal ends the process at once. Signals can only be
    handled in the main thread; in any other, nothing changes.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._hosts: Any = None  # the group of processes that exchange flags

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            for number, handler in self._before.items():
                if handler not in (signal.SIG_IGN, None):
                    signal.signal(number, self._record)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            if handler is not None:
                signal.signal(number, handler)

    def agree(self, fabric: Any, due: bool) -> tuple[bool, bool]:
        """Return whether to end, because a process got a signal, and whether to store, as the first process says.

        All processes of a training on several devices call this after the same step and get the same answers. Flags on
        the devices would make every host wait for its device in every step, so they go from host to host.
        """
        asked = self._number is not None
        if fabric.world_size == 1:
            return asked, due
        if self._hosts is None:
            self._hosts = torch.distributed.new_group(backend="gloo")
        flags = torch.tensor([int(asked), int(due and fabric.is_global_zero)])
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX, self._hosts)
        asked, due = flags.bool().tolist()
        return asked, due

    def end(self, fabric: Any) -> NoReturn:
        """End the process as the signal would have; the exit status is 128 plus its number."""
        fabric.barrier()  # a process that ends makes the others end, also the one that still writes
        number = self._number or signal.SIGTERM  # another process got the signal
        _log.warning("%s: the training is stored and ends; the next run continues it", signal.Signals(number).name)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    def _record(self, number: int, frame: FrameType | None) -> None:
        if self._number is None:
            self._number = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
