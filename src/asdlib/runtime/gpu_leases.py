"""The GPUs of a job: those that SLURM granted it, or a lease of some of the visible ones.

Snakemake limits the number of GPU jobs, but does not assign GPUs to them. A job therefore locks a file that represents
its GPU. The lock lasts until the process ends, however it ends, and hides all other GPUs from the job. Only the
standard library is used, because CUDA reads CUDA_VISIBLE_DEVICES once, at its first use.
"""

import fcntl
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import IO

from asdlib.errors import AsdError
from asdlib.runtime.gpus import installed
from asdlib.runtime.job_environment import is_first, is_slurm_job

WAIT = 0.5  # s between two attempts to lock a GPU
GRANTED = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "SLURM_GPUS_ON_NODE")  # set by SLURM for a job that was granted GPUs
HOLDER = "ASDLIB_GPU_LEASE"  # of the processes that a holder starts: its number and its GPUs, as in 123:0,1
_NAME = re.compile(r"\d+|(GPU|MIG)-.+")
_held: list[IO[str]] = []  # kept open, so that the locks last as long as this process
_progress = logging.getLogger("asdlib.progress")  # also shown on stderr if that is a terminal


def claim(gpus: int) -> int:
    """Return the number of GPUs that this job may use, if its rule asks for `gpus`.

    A job that the workflow submitted to SLURM has the GPUs that it was granted, however they were asked for. If they
    are more than its rule asks for, other jobs of its group may be there, too. Then, and everywhere else, also in an
    allocation that the user made, jobs share the visible GPUs: this one waits until enough of them are free and
    reserves them until its process ends. A process that a holder of a lease starts uses the holder's GPUs.
    """
    names = visible()
    if is_slurm_job():
        granted = len(names) if any(map(os.environ.get, GRANTED)) else gpus
        if not 0 < gpus < granted:
            return granted
    wanted = min(gpus, len(names))
    if wanted and not _held and is_first() and not _inherits(names):
        _lease(names, wanted)  # the other processes of a training use the lease of its first
    return gpus


def visible() -> list[str]:
    """Return the names of the GPUs visible to CUDA, from CUDA_VISIBLE_DEVICES or the driver.

    Like CUDA, read numbers, UUIDs and names of MIG devices up to the first entry that is none of these: `0,-1,1` is 0.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number in range(installed())]
    names: dict[str, None] = {}  # a set that keeps the order
    for name in map(str.strip, chosen.split(",")):
        if not _NAME.fullmatch(name):
            break
        names[name] = None
    return list(names)


def usable() -> int:
    """Return how many GPUs jobs can use at a time: the visible ones, and none where the driver shows none.

    CUDA_VISIBLE_DEVICES may be set on machines without a GPU, too. Like CUDA, stop at the first number that no GPU has.
    """
    total = installed()
    if not total:
        return 0
    names = visible()
    unknown = (place for place, name in enumerate(names) if name.isdigit() and int(name) >= total)
    return next(unknown, len(names))


def hide_all() -> None:
    """Hide all GPUs from this process and those that it starts; must come before CUDA is used."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _inherits(visible: list[str]) -> bool:
    """Return whether a process above this one holds a lease of all visible GPUs.

    The variable alone proves nothing: a process may outlive the holder that started it.
    """
    holder, _, names = os.environ.get(HOLDER, "").partition(":")
    if not set(visible) <= set(names.split(",")) or holder not in _ancestors():
        return False
    _progress.info("using the GPUs %s, which are leased to process %s", names, holder)
    return True


def _ancestors() -> list[str]:
    """Return the numbers of the processes above this one; none where the system does not list them."""
    found, process = [], str(os.getpid())
    while process != "0":
        try:
            status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        except OSError:
            break
        process = status.partition("PPid:")[2].split()[0]
        found.append(process)
    return found


def _lease(visible: list[str], gpus: int) -> None:
    """Reserve `gpus` of the visible GPUs until this process ends; wait until enough of them are free."""
    folder = _folder()
    taken = _take(folder, visible, gpus)
    if not taken:
        _progress.warning("all GPUs are in use: waiting until one is free (locks in %s)", folder)
    while not taken:
        time.sleep(WAIT)
        taken = _take(folder, visible, gpus)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    os.environ[HOLDER] = f"{os.getpid()}:{','.join(taken)}"
    _held.extend(taken.values())


def _folder() -> Path:
    """Return the folder of the locks; every user has one, because users cannot write into each other's folders.

    Every allocation of SLURM has its own, because SLURM may number the GPUs of each from 0.
    """
    allocation = f"-job-{os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
    folder = Path(f"asdlib-gpus-{os.getuid()}{allocation}")
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
