"""Which recordings of a watched folder are returned, look after look."""

import os
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.data.arrivals import Arrivals


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("new").mkdir()
    return Path("new")


def write(path: Path, content: str, time: int = 1_000) -> Path:
    path.write_text(content)
    os.utime(path, (time, time))
    return path


def test_a_recording_is_returned_once_it_stays_as_it_is(folder: Path) -> None:
    arrivals = Arrivals(folder, existing=False)
    path = write(folder / "a.wav", "half")
    assert arrivals.look() == []
    write(path, "all of it")
    assert arrivals.look() == [], "its size has changed"
    write(path, "ALL OF IT", time=1_001)
    assert arrivals.look() == [], "its time has changed"
    assert arrivals.look() == [path]
    assert arrivals.look() == []
    write(path, "another sound", time=1_002)
    assert [arrivals.look() for _ in range(3)] == [[]] * 3, "a name is not returned again"


def test_the_oldest_comes_first_and_what_is_no_recording_is_not_returned(folder: Path) -> None:
    arrivals = Arrivals(folder, existing=False)
    paths = [write(folder / name, "", time) for name, time in (("b.flac", 5), ("a.wav", 7), ("c.MP3", 6), ("d.wav", 7))]
    for name in (".part.wav", "notes.txt"):
        write(folder / name, "")
    (folder / "more.wav").mkdir()
    arrivals.look()
    assert arrivals.look() == [paths[0], paths[2], paths[1], paths[3]]


@pytest.mark.parametrize("existing", [False, True])
def test_what_is_there_at_the_start_is_left_out_or_returned(folder: Path, existing: bool) -> None:
    path = write(folder / "old.wav", "")
    arrivals = Arrivals(folder, existing)
    assert arrivals.left_out == (not existing)
    write(path, "it was still being written", time=2_000)
    arrivals.look()
    assert arrivals.look() == ([path] if existing else [])


def test_what_failed_is_returned_again_when_it_has_changed(folder: Path) -> None:
    arrivals = Arrivals(folder, existing=False)
    path = write(folder / "a.wav", "half, while the recorder pauses")
    arrivals.look()
    assert arrivals.look() == [path]
    arrivals.failed(path)
    assert [arrivals.look() for _ in range(3)] == [[]] * 3
    write(path, "all of it")
    arrivals.look()
    assert arrivals.look() == [path]
    assert [arrivals.look() for _ in range(3)] == [[]] * 3


def test_a_name_that_has_gone_is_free_for_another_recording(folder: Path) -> None:
    arrivals = Arrivals(folder, existing=False)
    path = write(folder / "a.wav", "")
    arrivals.look()
    assert arrivals.look() == [path]
    path.rename("a.wav")
    arrivals.look()
    write(path, "")
    arrivals.look()
    assert arrivals.look() == [path]


def test_a_broken_link_is_returned_and_an_unreadable_folder_is_refused(folder: Path) -> None:
    arrivals = Arrivals(folder, existing=False)
    (folder / "a.wav").symlink_to("nowhere.wav")
    arrivals.look()
    assert arrivals.look() == [folder / "a.wav"], "reading it says what is wrong"
    folder.rename("gone")
    refused(arrivals.look, r"new: cannot be read \(No such file or directory\): check its permissions")
