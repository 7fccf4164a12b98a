"""Tests of the guard: edits of code and settings stop jobs of a run, comments and jobs started by hand do not."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.runtime import guard
from asdlib.workflow import code_hash, code_text

FILES = {
    "__init__.py": "",
    "models/knn.py": "'''Neighbours.'''\n\n\ndef score():\n    return 1  # one\n",
    "data/files.py": "x = 1\n",
}
RULES = 'rule a:\n    output:\n        "a",  # the one\n    shell:\n        "touch {output}"\n'


def forget() -> None:
    """Clear the caches, so that files are read again as in another process."""
    code_text.code_of.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a small library of which a run is under way."""
    for name, text in FILES.items():
        (tmp_path / "asdlib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "asdlib" / name).write_text(text)
    monkeypatch.setattr(code_hash, "PACKAGE", tmp_path / "asdlib")
    monkeypatch.setenv(guard.VARIABLE, "")
    forget()
    guard.begin("settings", guard.library_files())
    forget()  # a job is another process
    yield tmp_path / "asdlib"
    forget()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def stopped(package: Path) -> None:
    complaint = f"{package}: was changed while the run is under way: restore it, or start the run again"
    refused(guard.check_library, complaint)


def test_nothing_changed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_code_fingerprint", lambda: pytest.fail("the code was parsed, which is slow"))
    guard.check_library()
    guard.check_settings("settings")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/knn.py", "# one", "# the first"),
        ("models/knn.py", "Neighbours", "Nearest ones"),
        ("data/files.py", "\n", "\n\n"),
    ],
)
def test_what_means_nothing_goes_on(package: Path, file: str, old: str, new: str) -> None:
    edit(package / file, old, new)
    guard.check_library()


@pytest.mark.parametrize(("old", "new"), [("return 1", "return 2"), ("def score():", "def score(")])
def test_what_means_something_stops_until_it_is_restored(package: Path, old: str, new: str) -> None:
    edit(package / "models" / "knn.py", old, new)
    stopped(package)
    edit(package / "models" / "knn.py", new, old)
    forget()
    guard.check_library()


def test_files_that_come_go_and_move_stop(package: Path) -> None:
    (package / "models" / "new.py").write_text("x = 1\n")
    stopped(package)
    (package / "models" / "new.py").unlink()
    (package / "data" / "files.py").rename(package / "models" / "files.py")
    stopped(package)
    (package / "models" / "files.py").unlink()
    stopped(package)


def test_an_editor_s_own_files_are_none_of_ours(package: Path) -> None:
    (package / "models" / ".#knn.py").symlink_to("user@host.1234")
    guard.check_library()


def test_a_broken_file_of_before_stops_nothing(package: Path) -> None:
    (package / "draft.py").write_text("def half(\n")
    guard.begin("settings", guard.library_files())
    os.utime(package / "draft.py", (0, 0))
    guard.check_library()


def test_a_job_by_hand_belongs_to_no_run(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(package / "data" / "files.py", "x = 1", "x = 2")
    monkeypatch.delenv(guard.VARIABLE)
    guard.check_library()
    guard.check_settings("others")


def test_other_settings_stop(package: Path) -> None:
    complaint = "config: it, or a rule, was changed while the run is under way: restore it, or start the run again"
    refused(lambda: guard.check_settings("others"), complaint)


def test_settings_are_the_config_and_the_rules_without_comments(tmp_path: Path) -> None:
    rules = tmp_path / "workflow" / "rules" / "a.smk"
    rules.parent.mkdir(parents=True)
    (tmp_path / "Snakefile").touch()
    rules.write_text(RULES)
    before = guard.settings_hash({"a": 1, "b": 2}, tmp_path)
    rules.write_text(f"# Comment.\n\n{RULES.replace('# the one', '')}")
    assert guard.settings_hash({"b": 2, "a": 1}, tmp_path) == before
    assert guard.settings_hash({"a": 1, "b": 3}, tmp_path) != before
    rules.write_text(RULES.replace("touch", "cat"))
    assert guard.settings_hash({"a": 1, "b": 2}, tmp_path) != before
