"""Orphans: jobs of a killed run that are still alive, on this machine or in SLURM's queue.

When a run is killed (`kill -9`, a lost login node), its jobs continue. They hold locks, GPUs and slots of the queue
that the next run needs.
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

GRACE = 20.0  # s for a process to end after SIGTERM: a training ends its step and stores its state; SLURM gives it 30 s
PROC = Path("/proc")
_log = logging.getLogger(__name__)
_SCRIPT = re.compile(r"/workflow/scripts/(\w+)\.py\Z")
_RUN_ID = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # names of Snakemake's SLURM jobs


@dataclass(frozen=True)
class Orphans:
    """Orphaned processes on this machine and jobs in the queue, each {number: description}."""

    processes: dict[int, str]
    jobs: dict[str, str]


def find(folder: Path) -> Orphans:
    """Return the orphaned jobs of `folder`; while a run is alive there, jobs in the queue count as that run's."""
    return Orphans(_processes(folder), {} if lock.is_alive(folder / ".snakemake") else _queued(folder))


def find_queued(folder: Path) -> Orphans:
    """Return all jobs of `folder` that are in the queue; for a run that ends and is the only one there."""
    return Orphans({}, _queued(folder))


def cancel(found: Orphans, folder: Path) -> None:
    """End the orphans: jobs by scancel, processes by SIGTERM and, after GRACE seconds, SIGKILL."""
    if found.jobs and (complaint := _ask("scancel", *found.jobs)[1]):
        raise AsdError(f"scancel: {complaint}: try again when SLURM answers")
    _signal(found.processes, signal.SIGTERM)
    give_up = time.monotonic() + GRACE
    while (left := found.processes.keys() & _processes(folder)) and time.monotonic() < give_up:
        time.sleep(0.1)
    _signal(left, signal.SIGKILL)


def signal_children(number: signal.Signals) -> None:
    """Send a signal to all jobs that this process has started on this machine."""
    for process in children():
        with suppress(OSError):  # the process has ended
            os.kill(process, number)


def children() -> list[int]:
    """Return the jobs that this process has started on this machine and that are alive."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):  # the process has ended
            process = int(entry.name)
            if any(map(_SCRIPT.search, _words(process))) and os.getpid() in _ancestors(process):
                found.append(process)
    return found


def _processes(folder: Path) -> dict[int, str]:
    """Return the processes that a run started in `folder` and that no Snakemake is waiting for."""
    found = {}
    for entry in PROC.glob("[0-9]*"):
        process = int(entry.name)
        with suppress(OSError):  # the process has ended, or belongs to another user
            script = next(filter(None, map(_SCRIPT.search, _words(process))), None)
            if script and _is_of_a_run(entry, folder) and not any(map(_is_snakemake, _ancestors(process))):
                found[process] = f"{script[1]} {_log_file(_words(process))}"
    return dict(sorted(found.items()))


def _is_of_a_run(entry: Path, folder: Path) -> bool:
    """Return whether a process is a job of a run in `folder`; jobs started by hand lack the run's fingerprint."""
    variables = (entry / "environ").read_bytes().split(b"\0")
    return (entry / "cwd").readlink() == folder and any(one.startswith(f"{VARIABLE}=".encode()) for one in variables)


def _ancestors(process: int) -> Iterator[int]:
    while process > 1:
        yield (process := int((PROC / str(process) / "stat").read_bytes().rpartition(b")")[2].split()[1]))


def _is_snakemake(process: int) -> bool:
    """Return whether a process is `snakemake …` or `python -m snakemake …`."""
    return any(Path(word).name == "snakemake" for word in _words(process))


def _words(process: int) -> list[str]:
    return (PROC / str(process) / "cmdline").read_bytes().decode(errors="replace").split("\0")


def _log_file(words: list[str]) -> str:
    """Return the path of a job's log, which describes the job; empty if it has none."""
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
        _log.warning("squeue: %s: jobs in the queue were not searched", complaint)
        return {}
    rows = [line.strip().split("|", 3) for line in answer.splitlines()]
    return {job: what for job, name, what, path in rows if _RUN_ID.fullmatch(name) and Path(path) == folder}


def _ask(*command: str) -> tuple[str, str]:
    """Run a command of SLURM and return its output and, if it fails, the reason."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    complaint = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return done.stdout, complaint if done.returncode else ""
