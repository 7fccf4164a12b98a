"""Tests of ending a run by a signal, with a stand-in for a Snakemake that waits for its jobs and for SLURM's queue."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from asdlib.runtime import termination

SRC = Path(termination.__file__).resolve().parents[2]
RUN_ID = "0b7f4f3e-5a0e-4a53-9d0c-6f3a2b1c4d5e"
JOB = """
import signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def store(*_):
    time.sleep(1.5)
    open("stored", "w").close()
    sys.exit(143)
if "slow" in sys.argv:
    signal.signal(signal.SIGTERM, store)
print("ready", flush=True)
time.sleep(60)
"""
RUN = """
import os, signal, subprocess, sys, threading
from asdlib.runtime import lock, orphans, termination
signal.signal(signal.SIGHUP, signal.SIG_IGN if "nohup" in sys.argv else signal.SIG_DFL)
termination.GRACE = orphans.GRACE = 0.5
if "slow" in sys.argv:
    orphans.GRACE = 20.0
lock.clear_stale_locks()
termination.end_on_signals(submits="local" not in sys.argv)
job = subprocess.Popen([sys.executable, f"{os.getcwd()}/workflow/scripts/score.py", *sys.argv[1:]])
try:
    job.wait()
except KeyboardInterrupt:
    if "tidy" in sys.argv:  # Snakemake ends by itself, after it has submitted the last jobs
        job.wait()
        termination.cancel_rest()
        sys.exit(1)
    threading.Event().wait()  # for the next look at the queue
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run that has one job in SLURM's queue."""
    folder = tmp_path / "run"
    for path, text in {
        folder / "workflow" / "scripts" / "score.py": JOB,
        tmp_path / "bin" / "squeue": f"#!/bin/sh\necho '12|{RUN_ID}|rule_score|{folder}'\n",
        tmp_path / "bin" / "scancel": f'#!/bin/sh\necho "$@" > {tmp_path}/cancelled\n',
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return folder


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Return a function that starts a run and waits until its job is running."""
    started = []

    def begin(*words: str) -> subprocess.Popen:
        environment = {"PYTHONPATH": str(SRC), "PATH": str(folder.parent / "bin")}
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, *words],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        started.append(run)
        assert run.stdout.readline() == b"ready\n"
        return run

    yield begin
    for run in started:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (signal.SIGTERM, (), 143),
        (signal.SIGTERM, ("deaf",), 143),
        (signal.SIGTERM, ("tidy",), 1),
        (signal.SIGINT, (), 130),
        (signal.SIGHUP, (), 129),
    ],
    ids=["sigterm", "a job that does not listen", "Snakemake ends by itself", "Ctrl-C", "a closed terminal"],
)
def test_a_signal_ends_a_run_and_its_jobs(start, folder: Path, number: int, words: tuple, code: int) -> None:
    run = start(*words)
    begun = time.monotonic()
    run.send_signal(number)
    run.send_signal(number)  # once more, out of impatience
    assert run.wait(timeout=20) == code
    assert time.monotonic() - begun < 10
    assert run.stdout.read() == b""  # which ends when the job has ended
    said = f"{signal.Signals(number).name}: cancelling all jobs; {termination.CONTINUE}\n"
    assert run.stderr.read().decode().startswith(said)
    assert (folder.parent / "cancelled").read_text() == "12\n"


def test_a_job_that_ends_its_step_is_waited_for(start, folder: Path) -> None:
    run = start("slow")
    run.terminate()
    assert run.wait(timeout=15) == 143
    assert (folder / "stored").exists()


def test_another_run_of_the_folder_keeps_its_jobs_in_the_queue(start, folder: Path) -> None:
    run = start()
    with (folder / ".snakemake" / "asdlib.lock").open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        run.terminate()
        assert run.wait(timeout=20) == 143
    assert not (folder.parent / "cancelled").exists()


def test_a_run_of_this_machine_asks_no_queue(start, folder: Path) -> None:
    """Its squeue may not answer, and the jobs there are of another run."""
    run = start("local", "tidy")
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=20) == 1
    assert run.stderr.read().count(b"\n") == 1
    assert not (folder.parent / "cancelled").exists()


EARLY = """
import signal
from asdlib.runtime import termination
termination.explain_interrupts()
async def left(): ...
left()
%s
"""


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "asdlib: interrupted: no job was started\n"),
        ("termination._stopped.set(); raise KeyboardInterrupt", -signal.SIGINT,
         "asdlib: interrupted: finished jobs are kept, and the same command continues\n"),
        ("raise KeyError(1)", 1, "KeyError: 1\n"),
    ],
)  # fmt: skip
def test_ctrl_c_before_the_first_job_is_one_line(line: str, code: int, said: str) -> None:
    program = [sys.executable, "-W", "ignore", "-c", EARLY % line]
    done = subprocess.run(program, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.endswith(said)
    assert ("Traceback" in done.stderr) == (code == 1)


def test_a_closed_terminal_is_ignored_after_nohup(start) -> None:
    run = start("nohup")
    run.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=0.5)


def test_ctrl_c_stays_ignored_where_it_was_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in the background of a shell script must not end when its user stops something else."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        termination.end_on_signals(submits=False)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
