"""One GPU per job: Snakemake counts how many jobs may use one, but not which.

A job locks a file that stands for its GPU until its process ends, however it ends, and from then on sees no other GPU.
Standard library only: what CUDA is shown counts only before CUDA is asked for anything.
"""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from asdlib.errors import AsdError

WAIT = 0.5  # s between two looks for a free GPU
_held: list[IO[str]] = []  # kept open: a lock lives as long as this process
_log = logging.getLogger("asdlib.progress")


def lease(gpus: int) -> None:
    """Take `gpus` of this machine's GPUs for the rest of this process, waiting until so many are free.

    Where there is nothing to choose, the user or SLURM having chosen already, nothing is done.
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
    """Return the names of the GPUs that CUDA would show, by its own variable or the driver's files."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    return [name.strip() for name in chosen.split(",") if name.strip()]


def _folder() -> Path:
    """Return the folder of the locks; each user has one, for nobody may write into another's."""
    folder = Path(f"asdlib-gpus-{os.getuid()}")
    try:
        folder = tempfile.gettempdir() / folder  # refuses if there is none that can be written
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def _take(folder: Path, names: list[str], gpus: int) -> dict[str, IO[str]]:
    """Lock so many of the GPUs, {name: open file}; if fewer are free, none, lest two jobs wait for each other."""
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
        handle = path.open("a")
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
