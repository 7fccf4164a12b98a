"""What the workflow made is told from what a user put in its place, added to it or changed in it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from asdlib.data import made as records
from asdlib.data.made import altered, record
from asdlib.errors import AsdError

LATER = (2e9, 2e9)


def add(name: str) -> Callable[[Path], None]:
    return lambda made: (made / name).write_text("mine")


def spoil(content: str) -> Callable[[Path], None]:
    return lambda made: made.with_name(".fan.made").write_text(content)


def edit(made: Path) -> None:
    (made / "train" / "a.wav").write_text("A")
    os.utime(made / "train" / "a.wav", LATER)


def edit_and_keep_the_time(made: Path) -> None:
    """As `cp -p` does, and an editor within the two seconds to which times may be rounded."""
    before = (made / "b.csv").stat()
    (made / "b.csv").write_text("a longer one")
    os.utime(made / "b.csv", ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_link(made: Path) -> None:
    shutil.copytree(made, made.with_name("mine"))
    shutil.rmtree(made)
    made.symlink_to("mine")


def link_inside(made: Path) -> None:
    (made / "more").symlink_to(".", target_is_directory=True)


CHANGED = {
    "a file is added": (add("notes.txt"), "notes.txt"),
    "a hidden file is added": (add("train/.hidden"), "train/.hidden"),
    "a file is edited": (edit, "train/a.wav"),
    "a file has another size at the same time": (edit_and_keep_the_time, "b.csv"),
    "a linked folder is added": (link_inside, "more"),
    "a link to the user's folder": (replace_by_link, "."),
    "there is no record": (lambda made: made.with_name(".fan.made").unlink(), "b.csv"),
    "the record is damaged": (spoil('{"train'), "b.csv"),
    "the record is something else": (spoil(json.dumps({"b.csv": 3})), "b.csv"),
    "the record is a list": (spoil("[]"), "b.csv"),
}
SAME = {
    "nothing": lambda made: None,
    "Snakemake's timestamp": add(".snakemake_timestamp"),
    "new times": lambda made: os.utime(made / "train" / "a.wav", LATER),
    "a missing file": lambda made: (made / "b.csv").unlink(),
    "an empty folder": lambda made: (made / "test").mkdir(),
    "all is removed": shutil.rmtree,
}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a folder with a record of its content."""
    folder = tmp_path / "fan"
    (folder / "train").mkdir(parents=True)
    for name in ("train/a.wav", "b.csv"):
        (folder / name).write_text("a")
    record(folder)
    return folder


@pytest.mark.parametrize(("change", "named"), CHANGED.values(), ids=CHANGED)
def test_what_a_user_did_is_noticed(made: Path, change: Callable[[Path], None], named: str) -> None:
    change(made)
    assert altered(made) == made / named


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_nothing_is_lost_with(made: Path, change: Callable[[Path], None]) -> None:
    change(made)
    assert altered(made) is None


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    assert altered(weights) is None
    weights.write_text("a")
    assert altered(weights) == weights
    record(weights)
    os.utime(weights, LATER)
    assert altered(weights) is None
    weights.write_text("b")  # now
    assert altered(weights) == weights


def test_contents_of_a_copy_are_compared_once(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(made / "b.csv", LATER)
    assert altered(made) is None
    monkeypatch.setattr(records, "_sha256", lambda entry: pytest.fail(f"{entry} is read again"))
    assert altered(made) is None


def test_a_record_that_cannot_be_written_is_no_error(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AsdError("x: cannot be written")

    os.utime(made / "b.csv", LATER)
    monkeypatch.setattr(records, "_write", refuse)
    assert altered(made) is None
