"""A run that was killed must not lock out the next one.

Snakemake marks a folder as in use by files that a killed run leaves behind, and then refuses to start. A lock that the
operating system frees when its process ends tells a dead run from a living one.
"""

import fcntl
import logging
import platform
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from asdlib.errors import AsdError

LOCK = "asdlib.lock"
_log = logging.getLogger(__name__)
_held: list[IO[str]] = []  # kept open: the lock lives as long as this process


def clear_stale_locks(folder: Path = Path(".snakemake")) -> None:
    """Remove Snakemake's lock files if no other run of this folder is alive; show from now on that this one is.

    Living runs share the lock, for two of them may make different files at once: only a run that is alone may have
    the lock for itself and clear the folder. What a run on another machine left stays: some file systems keep locks to
    one machine, and it may be alive.
    """
    locks = folder / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("a+")
    except OSError as error:
        raise _unwritable(folder, error) from error
    _held.append(handle)
    with suppress(OSError):  # another run is alive, or the file system has no locks: Snakemake's own answer stands
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _clear(locks, handle)
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits only for a run that is clearing the folder at this moment


def _clear(locks: Path, handle: IO[str]) -> None:
    """Remove the files that the last run left if it ran on this machine; note that this one does."""
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
    """Tell whether a run of this folder is alive; where the file system has no locks, that must be feared."""
    try:
        with (folder / LOCK).open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # nothing ever ran here
        return False
    except OSError:
        return True
    return False


def check_writable(folder: Path) -> None:
    """Refuse a folder that no job could write into: Snakemake's own words for it are a page long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as handle:
            handle.write(bytes(1 << 16))  # an empty file fits on a full disk
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> AsdError:
    return AsdError(f"{folder}: cannot be written ({error.strerror}): make room, or make the folder writable")
