"""Tests of atomic writes and locks: success, errors, killed processes, full disks and concurrent writers."""

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asdlib.data import files
from asdlib.data.files import atomic, locked
from asdlib.errors import AsdError


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def python(code: str, *arguments: object) -> subprocess.Popen:
    """Start another Python process and wait until it prints `ready`."""
    environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_success_renames(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent, "a rename works only within one file system"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert listing(path.parent) == {"a.txt"}


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic(path) as temporary, temporary.open("w", encoding="ascii") as handle:
        print("half", "ü", file=handle, flush=True)
    assert path.read_text() == "old"
    assert listing(tmp_path) == {"a.txt"}


def test_folders_too_appear_whole_and_replace_older_ones(tmp_path):
    path = tmp_path / "machine"
    for content in ("first", "second"):
        with atomic(path) as temporary:
            (temporary / "train").mkdir(parents=True)
            (temporary / "train" / content).touch()
        assert listing(tmp_path) == {"machine", "machine/train", f"machine/train/{content}"}
    with pytest.raises(FileNotFoundError), atomic(path) as temporary:
        Path(shutil.copytree(path, temporary), "gone").unlink()
    assert listing(tmp_path) == {"machine", "machine/train", "machine/train/second"}


@pytest.mark.parametrize("name", ["a.txt", "a[1]*.txt"])
def test_a_kill_leaves_no_file_and_the_next_attempt_tidies_up(tmp_path, name):
    code = (
        "import sys, time; from pathlib import Path; from asdlib.data.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); print('ready', flush=True); time.sleep(60)"
    )
    process = python(code, tmp_path / name)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (leftover,) = listing(tmp_path)
    assert leftover.startswith(f".{name}.")
    with atomic(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert listing(tmp_path) == {name}


def test_the_temporary_file_of_a_living_process_stays(tmp_path):
    with atomic(tmp_path / "a.txt") as temporary:
        other = temporary.with_name(temporary.name.replace(f"-{os.getpid()}.", f"-{os.getppid()}."))
        other.write_text("being written")
        temporary.write_text("whole")
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert listing(tmp_path) == {"a.txt", other.name}


def test_a_full_disk_is_one_line_and_leaves_nothing(tiny_disk):
    with (
        pytest.raises(AsdError, match=r"a\.bin: cannot be written \(No space left on device\): make room"),
        atomic(tiny_disk / "a.bin") as temporary,
    ):
        temporary.write_bytes(bytes(1 << 20))
    assert listing(tiny_disk) == set()


def test_a_read_only_disk_is_one_line(tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    for path in (tiny_disk / "a.bin", tiny_disk / "folder" / "a.bin"):
        with (
            pytest.raises(AsdError, match=r"a\.bin: cannot be written \(Read-only file system\)"),
            atomic(path) as temporary,
        ):
            temporary.write_bytes(b"x")
        with (
            pytest.raises(AsdError, match=r"\.a\.bin\.lock: cannot be written \(Read-only file system\)"),
            locked(path),
        ):
            pass


def test_a_file_size_limit_is_one_line(tmp_path):
    with pytest.raises(AsdError, match=r"a\.bin: cannot be written \(File too large\)"), atomic(tmp_path / "a.bin"):
        raise OSError(errno.EFBIG, "File too large")


def test_a_file_in_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "results").touch()
    for path in (tmp_path / "results" / "a.txt", tmp_path / "results" / "deep" / "a.txt"):
        with pytest.raises(AsdError, match=r"a\.txt: cannot be written"), atomic(path) as temporary:
            temporary.write_text("x")


def test_errors_about_other_files_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), atomic(tmp_path / "out" / "a.txt"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "recordings" / "b.wav"))


def test_a_second_process_is_refused_at_once_and_a_killed_one_locks_nobody_out(tmp_path):
    path = tmp_path / "model" / "a.safetensors"
    code = (
        "import sys, time; from pathlib import Path; from asdlib.data.files import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('ready', flush=True); time.sleep(60)"
    )
    process = python(code, path)
    try:
        refused = pytest.raises(
            AsdError, match=r"a\.safetensors: another process is writing it: wait for it or stop it"
        )
        with refused, locked(path):
            pass
    finally:
        process.kill()
        process.wait()
    with locked(path), refused, locked(path):  # a second lock is refused within one process too
        pass
    with locked(path):
        pass


def test_a_file_system_without_locks_is_only_mentioned(tmp_path, monkeypatch, caplog):
    def refuse(*arguments):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), locked(tmp_path / "a.txt"):
        pass
    assert "has no locks" in caplog.text


def test_no_file_stays_open(tmp_path):
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    opened = [os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.startswith(os.path.realpath(tmp_path))]
