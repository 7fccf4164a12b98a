"""The jobs that Snakemake would run, read from its own dry run."""

import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from asdlib.errors import AsdError
from asdlib.runtime.job_environment import in_utf8
from asdlib.workflow.snakemake_call import SNAKEMAKE, arguments

_HEAD = re.compile(r"(?:local)?rule (\w+):")
_FIELD = re.compile(r"    (input|output|wildcards|resources): (.*)")
_COMPLAINT = re.compile(r"\w*(?:Error|Exception)\b|error: ")


@dataclass(frozen=True, eq=False)
class Job:
    """One job: its rule, its files, the values of the rule's wildcards, and the number of GPUs that it asks for."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    wildcards: dict[str, str]
    gpus: int


def dry_run(targets: list[str], files: list[Path], entries: list[str]) -> list[Job]:
    """Return the jobs that would make the targets; `files` and `entries` are Snakemake's --configfile and --config."""
    return jobs_of(start(targets, files, entries))


def start(targets: list[str], files: list[Path], entries: list[str]) -> subprocess.Popen[str]:
    """Start the dry run, which takes seconds, for `jobs_of`."""
    # `--quiet host` overrides a profile that hides the jobs, and the hours of one GPU are planned wherever this runs.
    options = ["--dry-run", "--cores", "1", "--quiet", "host", "--resources", "gpu=1"]
    command = [sys.executable, *SNAKEMAKE, *arguments(targets, options, files, entries)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=in_utf8(),
        encoding="utf-8", errors="surrogateescape",
    )  # fmt: skip


def jobs_of(snakemake: subprocess.Popen[str]) -> list[Job]:
    """Return the jobs of a dry run when it has listed them."""
    with snakemake:
        try:
            printed, _ = snakemake.communicate()
        except BaseException:
            snakemake.kill()
            raise
    if snakemake.returncode:
        raise AsdError(f"snakemake: {complaint(printed)}")
    return parse(printed)


def parse(printed: str) -> list[Job]:
    """Return the jobs in the output of a dry run."""
    blocks: list[tuple[str, dict[str, str]]] = []
    for line in printed.splitlines():
        if head := _HEAD.fullmatch(line):
            blocks.append((head[1], {}))
        elif (field := _FIELD.fullmatch(line)) and blocks:
            blocks[-1][1][field[1]] = field[2]
    return [_job(rule, fields) for rule, fields in blocks]


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


def _job(rule: str, fields: dict[str, str]) -> Job:
    inputs, outputs, wildcards, resources = (
        tuple(fields[name].split(", ")) if name in fields else ()
        for name in ("input", "output", "wildcards", "resources")
    )
    asked = dict(pair.split("=", 1) for pair in resources)
    return Job(rule, inputs, outputs, dict(pair.split("=", 1) for pair in wildcards), int(asked.get("gpu", 0)))
