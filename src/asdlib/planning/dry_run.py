"""The jobs that Snakemake would run, as its own dry run says."""

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from asdlib.errors import AsdError
from asdlib.runtime.job_environment import JOB_LIST, in_utf8, temporary_root
from asdlib.workflow.snakemake_call import arguments

# Python's options that run Snakemake without searching for garbage. The search takes a tenth of the time of its
# imports, and in the graph of jobs it finds none. -P as in `snakemake_call.SNAKEMAKE`.
_SNAKEMAKE = ("-P", "-c", "import gc; gc.disable(); from snakemake.cli import main; main()")
_COMPLAINT = re.compile(r"\w*(?:Error|Exception)\b|error: ")


@dataclass(frozen=True, eq=False)
class Job:
    """One job: its rule, its files, the values of the rule's wildcards, and the number of GPUs that it asks for."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    wildcards: dict[str, str]
    gpus: int


class DryRun:
    """A dry run, which takes seconds; as a context manager, it leaves no process and no file behind.

    `files` and `entries` are Snakemake's --configfile and --config.
    """

    def __init__(self, targets: list[str], files: list[Path], entries: list[str]):
        # This `--quiet` ends a dry run before it prints the jobs, and overrides a profile. The hours of one GPU are
        # planned wherever this runs.
        options = ["--dry-run", "--cores", "1", "--quiet", "progress", "rules", "--resources", "gpu=1"]
        self._folder = tempfile.TemporaryDirectory(prefix="asdlib-plan-", dir=temporary_root())
        self._list = Path(self._folder.name) / "jobs.json"
        # With this TMPDIR, what Snakemake leaves behind if it is ended is in the folder.
        environment = in_utf8() | {JOB_LIST: str(self._list), "TMPDIR": self._folder.name}
        self._snakemake = subprocess.Popen(
            [sys.executable, *_SNAKEMAKE, *arguments(targets, options, files, entries)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._snakemake.kill()
        with self._snakemake:  # closes the pipe and waits
            self._folder.cleanup()

    def jobs(self) -> list[Job]:
        """Wait for its end and return the jobs that Snakemake would run, sorted."""
        printed, _ = self._snakemake.communicate()
        if self._snakemake.returncode or not self._list.exists():
            raise AsdError(f"snakemake: {complaint(printed)}")
        return read(self._list)


def read(path: Path) -> list[Job]:
    """Return the jobs in a list that asdlib.planning.job_list has written; raise AsdError if it is cut off."""
    try:
        jobs = json.loads(path.read_bytes())
    except ValueError as error:
        raise AsdError(f"{path}: the list of jobs is cut off: make room on this disk, or set TMPDIR") from error
    return [
        Job(rule, tuple(inputs), tuple(outputs), wildcards, gpus) for rule, inputs, outputs, wildcards, gpus in jobs
    ]


def dry_run(targets: list[str], files: list[Path], entries: list[str]) -> list[Job]:
    """Return the jobs that would make the targets; `files` and `entries` are Snakemake's --configfile and --config."""
    with DryRun(targets, files, entries) as started:
        return started.jobs()


def needed_for(target: str, jobs: list[Job]) -> list[Job]:
    """Return the jobs that a target needs, in the order of `jobs`."""
    made_by = {path: job for job in jobs for path in job.outputs}
    needed: set[Job] = set()
    waiting = [target]
    while waiting:
        job = made_by.get(waiting.pop())
        if job and job not in needed:
            needed.add(job)
            waiting += job.inputs
    return [job for job in jobs if job in needed]


def complaint(printed: str) -> str:
    """Return Snakemake's error as one line that starts with its name, without the location in the rules."""
    lines = [line for line in printed.splitlines() if not line.startswith("  File ")]
    start = next((number for number, line in enumerate(lines) if _COMPLAINT.match(line)), 0)
    text = " ".join(lines[start:]).removeprefix("error: ")
    return textwrap.shorten(text, 500, placeholder=" …") or "stopped without a message"
