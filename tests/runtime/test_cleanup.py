"""A process that is stopped removes its temporary files; what a killed one leaves, the next one removes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asdlib.runtime import cleanup
from asdlib.runtime.cleanup import temporary_folder

SRC = Path(cleanup.__file__).resolve().parents[2]
SCRIPT = """
import time
from asdlib.runtime.cleanup import exit_on_signals, temporary_folder
exit_on_signals()
with temporary_folder("asdlib-test") as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "clips").touch()
    print(folder, flush=True)
    input()
"""


PARENT = """
import os, subprocess, sys, time
environment = {**os.environ, "ASDLIB_STARTED_BY": str(os.getpid()), "LOCAL_RANK": "1"}
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=2, text=True,
    env=environment,
)
print(child.stdout.readline(), flush=True)
time.sleep(60)
"""
CHILD = """
import os, time
from asdlib.runtime.cleanup import die_with_first
die_with_first()
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_further_process_of_a_training_dies_with_the_first_at_kill_9() -> None:
    """It would otherwise compute on a GPU whose lease has ended with the parent."""
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], env=environment, stdout=subprocess.PIPE, text=True)
    child = Path("/proc", parent.stdout.readline().strip())
    assert child.exists()
    parent.kill()
    parent.communicate()
    give_up = time.monotonic() + 10
    while child.exists() and "zombie" not in (child / "status").read_text():  # a container may not reap it
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.mark.parametrize(("started_by", "rank", "ends"), [("1", "1", True), ("1", "0", False), ("", "1", False)])
def test_one_whose_first_process_has_ended_before_does_not_begin(started_by: str, rank: str, ends: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "ASDLIB_STARTED_BY": started_by, "LOCAL_RANK": rank}
    script = "from asdlib.runtime.cleanup import die_with_first; die_with_first()"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ("error: training: its first process has ended: run again\n" if ends else "")
    assert done.returncode == int(ends)


@contextmanager
def process(parent: Path, *before: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Yield a process that uses a temporary folder below `parent` until it gets a line, and its folder."""
    environment = {**os.environ, "PYTHONPATH": str(SRC), "TMPDIR": str(parent)}
    run = subprocess.Popen([*before, sys.executable, "-c", SCRIPT], env=environment, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")  # fmt: skip
    try:
        yield run, Path(run.stdout.readline().rstrip("\n"))
    finally:
        run.kill()
        run.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_process_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (run, folder):
        assert (folder / "deep" / "clips").is_file()
        run.send_signal(number)
        code = run.wait(timeout=60)
    assert code == (-number if number == signal.SIGINT else 128 + number)
    assert not list(tmp_path.iterdir())


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    with process(tmp_path, "nohup") as (run, folder):
        run.send_signal(signal.SIGHUP)
        assert folder.is_dir()
        run.communicate("\n", timeout=60)
        assert run.returncode == 0
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "asdlib-test-file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "asdlib-test-recordings").mkdir()  # of the user's, although it is called so
    (tmp_path / "asdlib-test-link").symlink_to(tmp_path / "mine")
    with process(tmp_path) as (killed, left), process(tmp_path) as (_, alive):
        killed.kill()
        killed.wait(timeout=60)
        assert left.is_dir()
        with temporary_folder("asdlib-test") as own, temporary_folder("asdlib-test") as another:
            assert {path.name for path in tmp_path.iterdir()} == {
                own.name, another.name, alive.name, "asdlib-test-file", "asdlib-test-link", "asdlib-test-recordings",
                "mine",
            }  # fmt: skip


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cleanup.fcntl, "flock", refuse)
    (tmp_path / "asdlib-test-1").mkdir()
    (tmp_path / "asdlib-test-1" / ".made-by-asdlib").touch()
    with temporary_folder("asdlib-test") as own:
        assert own.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["asdlib-test-1"]
