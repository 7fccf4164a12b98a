"""Leases of GPUs: Snakemake limits the number of GPU jobs, but does not assign GPUs to them.

A job locks a file that represents its GPU. The lock lasts until the process ends, however it ends, and hides all other
GPUs from the job. Only the standard library is used, because CUDA reads CUDA_VISIBLE_DEVICES once, at its first use.
"""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from asdlib.errors import AsdError

WAIT = 0.5  # s between two attempts to lock a GPU
_held: list[IO[str]] = []  # kept open, so that the locks last as long as this process
_log = logging.getLogger("asdlib.progress")


def lease(gpus: int) -> None:
    """Reserve `gpus` of this machine's GPUs until this process ends; wait until enough of them are free.

    Do nothing if there is no choice, or if SLURM has made it.
    """
    visible = _visible()
    if _held or "SLURM_JOB_ID" in os.environ or len(visible) <= gpus:
        return
    folder = _folder()
    taken = _take(folder, visible, gpus)
    if not taken:
        _log.warning("all GPUs are in use: waiting until one is free (locks in %s)", folder)
    while not taken:
        time.sleep(WAIT)
        taken = _take(folder, visible, gpus)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    _held.extend(taken.values())


def _visible() -> list[str]:
    """Return the names of the GPUs visible to CUDA, from CUDA_VISIBLE_DEVICES or the driver's device files."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    return [name.strip() for name in chosen.split(",") if name.strip()]


def _folder() -> Path:
    """Return the folder of the locks; every user has one, because users cannot write into each other's folders."""
    folder = Path(f"asdlib-gpus-{os.getuid()}")
    try:
        folder = tempfile.gettempdir() / folder  # raises FileNotFoundError if no temporary folder is writable
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def _take(folder: Path, names: list[str], gpus: int) -> dict[str, IO[str]]:
    """Lock `gpus` of the GPUs and return {name: open file}; lock none if fewer are free, to avoid deadlocks."""
    taken: dict[str, IO[str]] = {}
    for name in names:
        if len(taken) < gpus and (handle := _lock(folder / f"{name.replace('/', '_')}.lock")):
            taken[name] = handle
    if len(taken) < gpus:
        for handle in taken.values():
            handle.close()
        return {}
    return taken


def _lock(path: Path) -> IO[str] | None:
    try:
        handle = path.open("a", encoding="utf-8")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    return handle


def _unusable(path: Path, error: OSError) -> AsdError:
    return AsdError(
        f"{path}: cannot be locked ({error.strerror}): set TMPDIR to a local folder that you may write into"
    )
