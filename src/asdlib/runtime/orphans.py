"""Orphans: jobs of a killed run that are still alive, on this machine and in SLURM's queue.

A run that is killed (`kill -9`, a lost login node) takes none of its jobs along. They compute on, and hold locks, GPUs
and places in the queue that the next run needs.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from asdlib.errors import AsdError
from asdlib.runtime import lock
from asdlib.runtime.guard import VARIABLE

GRACE = 5.0  # s in which a process that is asked to end may tidy up
PROC = Path("/proc")
_log = logging.getLogger(__name__)
_SCRIPT = re.compile(r"/workflow/scripts/(\w+)\.py$")
_RUN_ID = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # what Snakemake names its SLURM jobs


@dataclass(frozen=True)
class Orphans:
    """{process: what it does} on this machine and {job: what it does} in the queue."""

    processes: dict[int, str]
    jobs: dict[str, str]


def find(folder: Path) -> Orphans:
    """Return the orphaned jobs of `folder`. While a run is alive there, the jobs in the queue count as its own."""
    return Orphans(_processes(folder), {} if lock.is_alive(folder / ".snakemake") else _queued(folder))


def cancel(found: Orphans, folder: Path) -> None:
    """End them: jobs by scancel, processes by SIGTERM and, should that not do, by SIGKILL."""
    if found.jobs and (complaint := _ask("scancel", *found.jobs)[1]):
        raise AsdError(f"scancel: {complaint}: try again when SLURM answers")
    _signal(found.processes, signal.SIGTERM)
    give_up = time.monotonic() + GRACE
    while (left := found.processes.keys() & _processes(folder)) and time.monotonic() < give_up:
        time.sleep(0.1)
    _signal(left, signal.SIGKILL)


def _processes(folder: Path) -> dict[int, str]:
    """Return the jobs that a run started in `folder` and that no Snakemake waits for."""
    found = {}
    for entry in PROC.glob("[0-9]*"):
        process = int(entry.name)
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            script = next(filter(None, map(_SCRIPT.search, _words(process))), None)
            if script and _is_of_a_run(entry, folder) and not any(map(_is_snakemake, _ancestors(process))):
                found[process] = f"{script[1]} {_log_file(_words(process))}"
    return dict(sorted(found.items()))


def _is_of_a_run(entry: Path, folder: Path) -> bool:
    """Tell a run's job from one that somebody started by hand: only a run leaves its fingerprint with its jobs."""
    variables = (entry / "environ").read_bytes().split(b"\0")
    return (entry / "cwd").readlink() == folder and any(one.startswith(f"{VARIABLE}=".encode()) for one in variables)


def _ancestors(process: int) -> Iterator[int]:
    while process > 1:
        yield (process := int((PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[1]))


def _is_snakemake(process: int) -> bool:
    """Tell whether a process is `snakemake …` or `python -m snakemake …`."""
    return any(Path(word).name == "snakemake" for word in _words(process))


def _words(process: int) -> list[str]:
    return (PROC / str(process) / "cmdline").read_bytes().decode(errors="replace").split("\0")


def _log_file(words: list[str]) -> str:
    """Return a job's log, which says what the job makes."""
    return words[words.index("--log") + 1] if "--log" in words else ""


def _signal(processes: set[int] | dict[int, str], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _queued(folder: Path) -> dict[str, str]:
    """Return Snakemake's jobs in the queue that work in `folder`."""
    if not shutil.which("squeue"):
        return {}
    answer, complaint = _ask("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%j|%k|%Z")
    if complaint:
        _log.warning("squeue: %s: jobs in the queue were not looked for", complaint)
        return {}
    rows = [line.strip().split("|", 3) for line in answer.splitlines()]
    return {job: what for job, name, what, place in rows if _RUN_ID.fullmatch(name) and Path(place) == folder}


def _ask(*command: str) -> tuple[str, str]:
    """Run one of SLURM's commands; return what it prints and, if it fails, why."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaint = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return done.stdout, complaint if done.returncode else ""
