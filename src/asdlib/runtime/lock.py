"""The lock of a run, which allows stale locks of Snakemake to be removed.

Snakemake marks a folder as in use by lock files. A killed run leaves them behind, and the next one refuses to start.
This lock is released by the operating system when its process ends, so it distinguishes dead runs from live ones.
"""

import fcntl
import logging
import os
import platform
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from asdlib.data.listing import is_folder
from asdlib.errors import AsdError, unwritable

LOCK = "asdlib.lock"
_log = logging.getLogger(__name__)
_held: list[IO[str]] = []  # kept open, so that the lock lasts as long as this process


def clear_stale_locks(folder: Path = Path(".snakemake")) -> None:
    """Remove Snakemake's lock files if no other run of this folder is alive, and mark this run as alive.

    Live runs share the lock, because two of them may make different files at the same time. Only a run that is alone
    can lock the folder exclusively and clear it. The files of a run on another machine are kept: on some file systems
    locks are local to a machine, so that run may still be alive.
    """
    locks = folder / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise AsdError(unwritable(folder, error.strerror)) from error
    _held.append(handle)
    with suppress(OSError):  # another run is alive, or the file system has no locks: Snakemake decides
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _clear(locks, handle)
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits only while another run clears the folder


def _clear(locks: Path, handle: IO[str]) -> None:
    """Remove the last run's lock files if it ran on this machine, and record this machine's name."""
    left = sorted(locks.glob("*.lock"))
    handle.seek(0)
    machine = handle.read()
    if left and machine not in ("", platform.node()):
        _log.warning("%s: left by a run on %s: if it is dead, `snakemake --unlock` removes them", locks, machine)
        return
    for stale in left:
        stale.unlink(missing_ok=True)
        _log.warning("%s: left by a run that was killed: removed", stale)
    handle.truncate(0)
    handle.write(platform.node())
    handle.flush()


def is_alive(folder: Path = Path(".snakemake")) -> bool:
    """Return whether a run of this folder is alive; True if the file system has no locks."""
    try:
        with (folder / LOCK).open("r+", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # no run has ever been started here
        return False
    except OSError:
        return True
    return False


def is_alone() -> bool:
    """Return whether no other run of this folder is alive, for a run that ends; False if the file system has no locks.

    The run may lose its own lock.
    """
    try:
        for handle in _held:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return bool(_held)


def check_writable(folder: Path) -> None:
    """Raise AsdError if jobs could not write into a folder; Snakemake's own message is a page long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as handle:
            handle.write(bytes(1 << 16))  # an empty file fits on a full disk
    except OSError as error:
        raise AsdError(unwritable(folder, error.strerror)) from error


def refuse_files(folders: Iterable[str]) -> None:
    """Raise AsdError if something else is in the place of a folder of the workflow: Snakemake ends in a traceback."""
    for folder in map(Path, folders):
        if os.path.lexists(folder) and not is_folder(folder):
            raise AsdError(f"{folder}: is not a folder, but the workflow needs one there: move it away")
