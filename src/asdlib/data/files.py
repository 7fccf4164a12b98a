"""Atomic writes and locks: a file is either complete or absent."""

import errno
import fcntl
import glob
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from asdlib.errors import AsdError, unwritable

_CANNOT_WRITE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST
}  # fmt: skip
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}  # raised by network file systems without locks
_log = logging.getLogger(__name__)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, remove it if not.

    The block may create a file or a folder there. Readers see either the old content or the new, never a part of it.
    This holds after a crash too, because the contents are flushed to disk before the rename.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.part")
    replaced = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.old.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        yield temporary
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            path.replace(replaced)  # a folder cannot be renamed onto another; for a moment there is none
        temporary.replace(path)
        _sync_one(path.parent)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE or not _is_about(error, path):
            raise
        reason = os.strerror(error.errno)  # shorter than what libraries report
        raise AsdError(unwritable(path, reason)) from error
    finally:
        _remove(temporary)
        _remove(replaced)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `.<name>.lock` beside `path` while the block runs.

    Raises AsdError at once if another process holds it.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    with opened_lock(lock) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AsdError(f"{path}: another process is writing it: wait for it or stop it, then run again") from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _log.warning("%s: this file system has no locks (%s): do not start a second run here", lock, error.strerror)
        yield


def opened_lock(lock: Path) -> TextIO:
    """Open a file to be locked, and make it and its folder if they are missing.

    Raises AsdError if it cannot be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return lock.open("w", encoding="utf-8")
    except OSError as error:
        raise AsdError(unwritable(lock, error.strerror)) from error


def _is_about(error: OSError, path: Path) -> bool:
    """Return whether the error comes from writing `path`; another file may have been read meanwhile.

    Some libraries report no file name. Their errors count as errors of `path`.
    """
    if not isinstance(error.filename, str | Path):
        return True
    return path.is_relative_to(error.filename) or Path(error.filename).is_relative_to(path.parent)


def _sync(path: Path) -> None:
    if not path.exists():
        return
    if path.is_dir():
        for inner in path.rglob("*"):
            _sync_one(inner)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files that killed processes on this machine left while writing `path`."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{socket.gethostname()}-*.part"):
        process = leftover.name.rpartition("-")[2].partition(".")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            _remove(leftover)


def _remove(path: Path) -> None:
    """Remove a file or folder, ignoring failures: the error that led here is the one to report."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
