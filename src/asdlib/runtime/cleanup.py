"""Leave nothing behind when a process is stopped: signals end it as errors do, and temporary folders are removed."""

import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from asdlib.runtime.job_environment import first_process, temporary_root

_MARK = ".made-by-asdlib"  # a file in our temporary folders; without it, a folder is the user's
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, from prctl.h
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # Python itself turns SIGINT into KeyboardInterrupt


def exit_on_signals() -> list[signal.Signals]:
    """Turn signals into SystemExit, so that temporary files are removed, and return these signals.

    A signal that is ignored stays ignored, as after `nohup`.
    """
    turned = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in turned:
        signal.signal(number, _exit)
    return turned


@contextmanager
def exiting_on_signals() -> Iterator[None]:
    """Turn signals into SystemExit while the block runs, as `exit_on_signals` does."""
    turned = exit_on_signals()
    try:
        yield
    finally:
        for number in turned:
            signal.signal(number, signal.SIG_DFL)


def die_with_first() -> None:
    """Let the system kill a further process of a training when the first one has ended, however (on Linux).

    It would otherwise wait for the first one in NCCL, on a GPU whose lease, the first one's, has ended with it, or take
    itself for the first one.
    """
    first = first_process()
    if first is None:
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != first:
        sys.exit("error: training: its first process has ended: run again")


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Yield a new folder `<name>-…` for temporary files and remove it after the block.

    Also remove such folders of processes that were killed. A process holds a lock on its folder, which the system
    releases with the process, so a folder that can be locked belongs to no process.
    """
    parent = temporary_root()
    for left in parent.glob(f"{name}-*"):
        with suppress(OSError):  # it is in use, or another user's
            _remove_left(left)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))  # a name that is not searched before it is locked
    (folder / _MARK).touch()
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # on a file system without locks, no folder can be locked, so none is removed
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = folder.rename(parent / folder.name.removeprefix("."))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _remove_left(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_uid == os.getuid() and (folder / _MARK).is_file():
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # a second signal must not interrupt the removal
    sys.exit(128 + number)
