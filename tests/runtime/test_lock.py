"""Tests of the run's lock: locks of dead runs are removed, those of living runs are kept."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.runtime import lock as run_lock
from asdlib.runtime.lock import check_writable, clear_stale_locks, is_alive, refuse_files
from asdlib.workflow import paths

SRC = Path(run_lock.__file__).resolve().parents[2]
ALIVE = "from asdlib.runtime.lock import clear_stale_locks; clear_stale_locks(); print('ready', flush=True); input()"


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    """Release this process's lock after each test, as if the process had ended."""
    yield
    while run_lock._held:
        run_lock._held.pop().close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Create a lock file as Snakemake leaves it behind."""
    path = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def living_run(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock of a folder until `end` is called."""
    command = [sys.executable, "-c", ALIVE]
    pipe = subprocess.PIPE
    run = subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(SRC)}, stdin=pipe, stdout=pipe, text=True)
    assert run.stdout
    assert run.stdout.readline() == "ready\n"
    return run


def end(run: subprocess.Popen[str]) -> None:
    run.communicate("\n", timeout=60)


def test_a_dead_run_s_lock_is_cleared(lock: Path) -> None:
    clear_stale_locks(lock.parents[1])
    assert not lock.exists()


def test_a_fresh_folder_needs_nothing(tmp_path: Path) -> None:
    clear_stale_locks(tmp_path / ".snakemake")
    assert not list((tmp_path / ".snakemake" / "locks").iterdir())


def test_a_living_run_s_lock_stays(tmp_path: Path) -> None:
    first = living_run(tmp_path)
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.touch()
    clear_stale_locks(tmp_path / ".snakemake")
    assert lock.exists()
    end(first)


def test_the_lock_of_the_last_of_several_runs_stays(tmp_path: Path) -> None:
    """Two runs may make different files at the same time; one may end while the other continues."""
    first, second = living_run(tmp_path), living_run(tmp_path)
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.touch()
    end(first)
    clear_stale_locks(tmp_path / ".snakemake")
    assert lock.exists()
    end(second)


def test_a_killed_run_s_lock_is_cleared(tmp_path: Path) -> None:
    run = living_run(tmp_path)
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.touch()
    run.kill()
    run.communicate(timeout=60)
    clear_stale_locks(tmp_path / ".snakemake")
    assert not lock.exists()


def test_what_a_run_on_another_machine_left_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """If locks are local to a machine, a living run on another machine looks dead from here."""
    run = living_run(tmp_path)
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.touch()
    run.kill()
    run.communicate(timeout=60)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(run_lock.platform, "node", lambda: "another machine")
        clear_stale_locks(tmp_path / ".snakemake")
    run_lock._held.pop().close()
    assert lock.exists()
    assert "left by a run on" in caplog.text
    clear_stale_locks(tmp_path / ".snakemake")
    assert not lock.exists()


def test_a_run_is_alive_until_it_ends(tmp_path: Path) -> None:
    assert not is_alive(tmp_path / ".snakemake")
    first, second = living_run(tmp_path), living_run(tmp_path)
    assert is_alive(tmp_path / ".snakemake")
    end(first)
    assert is_alive(tmp_path / ".snakemake")
    second.kill()
    second.communicate(timeout=60)
    assert not is_alive(tmp_path / ".snakemake")


def test_without_locks_any_run_may_be_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    clear_stale_locks(tmp_path / ".snakemake")
    monkeypatch.setattr(run_lock.fcntl, "flock", refuse)
    assert is_alive(tmp_path / ".snakemake")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").touch()
    complaint = r".*/file: cannot be written \((File exists|Not a directory)\): make room, or make the folder writable"
    refused(lambda: check_writable(tmp_path / "file"), complaint)
    refused(lambda: clear_stale_locks(tmp_path / "file"), complaint)


def test_something_else_in_the_place_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = paths.folders(["baseline"])
    assert folders[0] == "resources"
    assert {"results", "results/baseline", "results/audio/raw", "resources/downloads/checkpoints"} < {*folders}
    Path("elsewhere").mkdir()
    Path("results").symlink_to("elsewhere")  # on another disk
    refuse_files(folders)
    Path("results/baseline").write_text("mine")
    refused(lambda: refuse_files(folders), "results/baseline: is not a folder, but the workflow .* move it away")
    Path("results").unlink()
    Path("results").symlink_to("nowhere")
    refused(lambda: refuse_files(folders), "results: is not a folder, but the workflow needs one there: move it away")


def test_a_full_disk(tiny_disk: Path) -> None:
    (tiny_disk / "other").write_bytes(bytes(32 << 10))
    complaint = r".*: cannot be written \(No space left on device\): make room, or make the folder writable"
    refused(lambda: check_writable(tiny_disk), complaint)
