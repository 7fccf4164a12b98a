"""The jobs of one dry run, as it lists them for `asdlib plan` and as it prints them."""

import re
from dataclasses import astuple
from pathlib import Path

import pytest
from helpers.checkout import Checkout

from asdlib.planning.dry_run import Job, read
from asdlib.runtime.job_environment import JOB_LIST

_HEAD = re.compile(r"(?:local)?rule (\w+):")
_FIELD = re.compile(r"    (input|output|wildcards|resources): (.*)")
_MARK = " (update)"  # of a file that a job keeps instead of removing it first


def listed(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: str) -> tuple[list[Job], str]:
    """Return the jobs that a dry run for a plan lists in the file `path`, and what a user's dry run prints."""
    call = *arguments, "--dry-run", "--resources", "gpu=1"
    with monkeypatch.context() as asked:
        asked.setenv(JOB_LIST, str(path))
        checkout.run(*call, "--quiet", "progress", "rules")
    return read(path), checkout.run(*call, "--quiet", "host")


def as_rows(jobs: list[Job]) -> list[tuple]:
    """Return the fields of jobs, sorted."""
    return sorted(map(astuple, jobs), key=lambda job: job[2])


def printed_jobs(printed: str) -> list[Job]:
    """Return the jobs in the output of a dry run; no path and no value may contain a comma and a blank."""
    blocks: list[tuple[str, dict[str, list[str]]]] = []
    for line in printed.splitlines():
        if head := _HEAD.fullmatch(line):
            blocks.append((head[1], {}))
        elif (field := _FIELD.fullmatch(line)) and blocks:
            blocks[-1][1][field[1]] = field[2].split(", ")
    return [
        Job(
            rule,
            tuple(fields.get("input", ())),
            tuple(path.removesuffix(_MARK) for path in fields.get("output", ())),
            dict(pair.split("=", 1) for pair in fields.get("wildcards", ())),
            int(dict(pair.split("=", 1) for pair in fields["resources"]).get("gpu", 0)),
        )
        for rule, fields in blocks
    ]
