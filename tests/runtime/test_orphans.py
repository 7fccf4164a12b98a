"""Tests of finding and stopping orphans, with real processes and with stand-ins for SLURM's commands."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.cli import main
from asdlib.runtime import lock, orphans

JOB = """
import signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(60)
"""
SNAKEMAKE = """
import os, subprocess, sys
subprocess.run([sys.executable, f"{os.getcwd()}/workflow/scripts/score.py"], check=False)
"""
LOG = "results/logs/score/a.log"
RUN_ID = "0b7f4f3e-5a0e-4a53-9d0c-6f3a2b1c4d5e"


class Folder:
    """A folder with a job's script, a stand-in for Snakemake, and the processes started there."""

    def __init__(self, path: Path):
        self.path = path
        self.script = path / "workflow" / "scripts" / "score.py"
        self.script.parent.mkdir(parents=True)
        self.script.write_text(JOB)
        (path / "snakemake").write_text(SNAKEMAKE)
        self.started: list[subprocess.Popen] = []

    def start(self, *words: object, cwd: Path | None = None, **environment: str) -> subprocess.Popen:
        """Start a Python process in its own process group."""
        command = [sys.executable, *map(str, words)]
        self.started.append(subprocess.Popen(command, cwd=cwd or self.path, env=environment, start_new_session=True))
        return self.started[-1]

    def job(self, *words: str, cwd: Path | None = None) -> subprocess.Popen:
        """Start a job like a run does."""
        return self.start(self.script, *words, "--log", LOG, cwd=cwd, ASDLIB_RUN="a-b-c")

    def found(self) -> dict[int, str]:
        """Return the orphaned processes, once all started processes are running."""
        wanted = {process.pid for process in self.started}
        give_up = time.monotonic() + 60
        while any(str(self.path).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in wanted):
            assert time.monotonic() < give_up
            time.sleep(0.01)
        return orphans.find(self.path).processes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Return a folder on a machine without SLURM."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    made = Folder(tmp_path / "run")
    yield made
    for process in made.started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def test_a_job_without_its_run_is_found_and_stopped(folder: Folder, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder.path)
    job = folder.job()
    assert folder.found() == {job.pid: f"score {LOG}"}
    assert main(["orphans"]) == 0
    assert capsys.readouterr().out == f"process {job.pid}: score {LOG}\n1 found: stop them with --cancel\n"
    assert job.poll() is None
    assert main(["orphans", "--cancel"]) == 0
    assert capsys.readouterr().out.endswith("1 stopped\n")
    assert job.wait(timeout=60) == -15
    assert main(["orphans", "--cancel"]) == 0
    assert capsys.readouterr().out == "no orphans\n"


def test_what_could_change_the_terminal_is_printed_escaped(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(orphans, "find", lambda _: orphans.Orphans({7: "score \x1b[2J.log"}, {"12": "rule_\x1b[2J"}))
    assert main(["orphans"]) == 0
    printed = "process 7: score \\x1b[2J.log\nSLURM job 12: rule_\\x1b[2J\n2 found: stop them with --cancel\n"
    assert capsys.readouterr().out == printed


def test_a_job_that_does_not_listen_is_killed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "GRACE", 0.5)
    job = folder.job("deaf")
    status, give_up = Path(f"/proc/{job.pid}/status"), time.monotonic() + 60
    while not int(re.search(r"SigIgn:\s*(\w+)", status.read_text())[1], 16) & 1 << signal.SIGTERM - 1:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    orphans.cancel(orphans.find(folder.path), folder.path)
    assert job.wait(timeout=60) == -9


def test_a_job_that_snakemake_waits_for_is_none_until_snakemake_is_killed(folder: Folder) -> None:
    run = folder.start(folder.path / "snakemake", ASDLIB_RUN="a-b-c")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    give_up = time.monotonic() + 60
    while not children.read_text():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    job = int(children.read_text())
    while "/workflow/scripts/" not in Path(f"/proc/{job}/cmdline").read_text():  # it is no job before
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert folder.found() == {}
    run.kill()
    run.wait()
    assert orphans.find(folder.path).processes.keys() == {job}


def test_what_is_no_leftover_of_this_folder(folder: Folder, tmp_path: Path) -> None:
    folder.job(cwd=tmp_path)  # in another folder
    folder.start(folder.script)  # started by hand, without a run's fingerprint
    folder.start("-c", JOB, folder.path, ASDLIB_RUN="a-b-c")  # not one of the scripts
    assert folder.found() == {}


# --- the queue ------------------------------------------------------------------------------------------------------


@pytest.fixture
def queue(folder: Folder, tmp_path: Path) -> Path:
    """Create stand-ins for SLURM's commands; return the folder with the queue and the recorded arguments."""
    lines = (
        f"12|{RUN_ID}|rule_train_model_wildcards_fan|{folder.path}",
        f"13_[0-3]|site_{RUN_ID}|rule_score|{folder.path}",
        f"14|{RUN_ID}|rule_score|{tmp_path}",
        f"15|jupyter|(null)|{folder.path}",
    )
    (tmp_path / "queue").write_text("\n".join(lines) + "\n")
    (tmp_path / "bin").mkdir()
    for name, text in {
        "squeue": f'echo "$@" > {tmp_path}/asked; while read line; do echo "$line"; done < {tmp_path}/queue',
        "scancel": f'echo "$@" > {tmp_path}/cancelled',
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def test_jobs_in_the_queue_are_found_and_cancelled(folder: Folder, queue: Path, capsys) -> None:
    assert main(["orphans", "--folder", str(folder.path), "--cancel"]) == 0
    printed = "SLURM job 12: rule_train_model_wildcards_fan\nSLURM job 13_[0-3]: rule_score\n2 stopped\n"
    assert capsys.readouterr().out == printed
    assert (queue / "cancelled").read_text() == "12 13_[0-3]\n"
    assert (queue / "asked").read_text() == f"--noheader --user={os.getuid()} --format=%i|%j|%k|%Z\n"


def test_a_living_run_s_jobs_in_the_queue_are_its_own(folder: Folder, queue: Path) -> None:
    lock.clear_stale_locks(folder.path / ".snakemake")  # what a run does when it starts
    assert orphans.find(folder.path).jobs == {}
    lock._held.pop().close()
    assert orphans.find(folder.path).jobs.keys() == {"12", "13_[0-3]"}


def test_a_queue_that_does_not_answer(folder: Folder, queue: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If SLURM is installed but not used, orphans on this machine are still found."""
    found = orphans.find(folder.path)
    for name in ("squeue", "scancel"):
        (queue / "bin" / name).write_text("#!/bin/sh\necho 'error:\n Connection refused' >&2\nexit 1\n")
    job = folder.job()
    assert folder.found().keys() == {job.pid}
    assert "squeue: error: Connection refused: jobs in the queue were not searched" in caplog.messages
    complaint = "scancel: error: Connection refused: try again when SLURM answers"
    refused(lambda: orphans.cancel(found, folder.path), complaint)
