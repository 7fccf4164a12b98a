"""The quick end of a job that has succeeded: nothing is lost, and only then."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asdlib.runtime import quick_end

SRC = Path(quick_end.__file__).parents[2]
JOB = """
import asdlib.runtime.job_start
import atexit, ctypes, os, sys, threading, time
from asdlib.errors import AsdError
from asdlib.steps.command import run

class Part:
    def __del__(self, write=os.write):
        write(1, b"taken apart\\n")

sys.part = Part()

def step(fails: bool) -> None:
    atexit.register(print, "a library ends")
    ctypes.CDLL(None).puts(b"a library in C prints")
    threading.Thread(target=lambda: (time.sleep(0.1), print("a thread ends"))).start()
    if fails:
        raise AsdError("stop")

run(step)
"""
SAID = ["a library ends", "a library in C prints", "a thread ends"]


def end(tmp_path: Path, fails: bool, stdout: int) -> subprocess.CompletedProcess:
    job = tmp_path / "job.json"
    job.write_text(f'{{"settings": null, "code": "", "arguments": {{"fails": {str(fails).lower()}}}}}')
    return subprocess.run(
        [sys.executable, "-c", JOB, str(job)], cwd=SRC, env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


def test_a_job_that_succeeds_ends_without_taking_its_modules_apart(tmp_path: Path) -> None:
    done = end(tmp_path, False, subprocess.PIPE)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, SAID)


def test_a_job_that_fails_ends_as_usual(tmp_path: Path) -> None:
    done = end(tmp_path, True, subprocess.PIPE)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (1, [*SAID, "taken apart"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="SKIPPED, NOT CHECKED HERE: there is no /dev/full")
def test_a_job_whose_output_is_lost_does_not_end_with_success(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = end(tmp_path, False, full)
    finally:
        os.close(full)
    assert done.returncode == 120  # Python's own
    assert "No space left on device" in done.stderr
