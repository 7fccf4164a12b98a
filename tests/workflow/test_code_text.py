"""What a file of the library says, and the file in which that is kept from one process to the next."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from asdlib.workflow import code_text
from asdlib.workflow.code_text import Code, code_of, keep_in

SOURCE = '''"""A module."""

import asdlib.errors
import numpy as np
from asdlib.data.files import atomic, writing as write

try:
    from os import path  # of the system
except ImportError:
    path = None


class Thing:
    """A thing."""

    async def act(self):
        """Act."""
        match self:
            case None:
                from asdlib.layers import dense
                return dense
        return lambda: np.pi
'''
CODE = Code(
    "from asdlib import atomic\nfrom asdlib import writing as write\nimport asdlib.errors\nimport numpy as np\n"
    "try:\n    from os import path\nexcept ImportError:\n    path = None\n\nclass Thing:\n\n    async def act(self):\n"
    "        match self:\n            case None:\n                from asdlib import dense\n"
    "                return dense\n"
    "        return lambda: np.pi",
    ("asdlib.data.files", "asdlib.data.files.atomic", "asdlib.data.files.writing", "asdlib.errors", "asdlib.layers",
     "asdlib.layers.dense", "numpy", "os", "os.path"),
    (("asdlib.data.files", "atomic"), ("asdlib.data.files", "writing"), ("asdlib.layers", "dense")),
)  # fmt: skip


class Process:
    """What a process reads of a file, with what earlier processes kept; `parsed` lists what it had to parse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._patch = monkeypatch
        self.parsed: list[Path] = []
        self._parse = code_text._parsed
        self._end = []

    def starts(self, kept: Path) -> None:
        code_of.cache_clear()
        self._patch.setattr(code_text, "_kept", {})
        self._patch.setattr(
            code_text, "_parsed", lambda content, path: self.parsed.append(path) or self._parse(content, path)
        )
        self._patch.setattr(code_text.atexit, "register", lambda *call: self._end.append(call))
        self.parsed.clear()
        keep_in(kept)

    def _note_and_parse(self, content: bytes, path: Path) -> ast.Module:
        self.parsed.append(path)
        return self._parse(content, path)

    def ends(self) -> None:
        save, *arguments = self._end.pop()
        save(*arguments)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    yield Process(monkeypatch)
    code_of.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.py"
    path.write_text(SOURCE)
    return path


def test_the_text_has_no_comments_docstrings_and_paths_of_own_imports(source: Path) -> None:
    assert code_of(source) == CODE


def test_only_what_was_edited_is_parsed_again(process: Process, source: Path, tmp_path: Path) -> None:
    kept, other = tmp_path / "new folder" / "kept.json", tmp_path / "other.py"
    other.write_text("x = 1\n")
    process.starts(kept)
    first = code_of(source), code_of(other)
    process.ends()
    process.starts(kept)
    assert (code_of(source), code_of(other)) == first
    assert process.parsed == []
    process.ends()
    other.write_text("x = 2\n")
    process.starts(kept)
    assert (code_of(source), code_of(other).text) == (first[0], "x = 2")
    assert process.parsed == [other]


DAMAGES = {
    "truncated": lambda kept: kept.write_bytes(kept.read_bytes()[:-9]),
    "empty": lambda kept: kept.write_bytes(b""),
    "not ours": lambda kept: kept.write_text("[1]"),
    "of another parser": lambda kept: kept.write_text(json.dumps({**json.loads(kept.read_text()), "parser": ["3.99"]})),
    "with other fields": lambda kept: kept.write_text(kept.read_text().replace('"own"', '"old"')),
    "not text": lambda kept: kept.write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_cannot_be_read_is_read_from_the_source(process: Process, source: Path, tmp_path: Path, damage) -> None:
    kept = tmp_path / "kept.json"
    process.starts(kept)
    code_of(source)
    process.ends()
    whole = kept.read_bytes()
    damage(kept)
    process.starts(kept)
    assert code_of(source) == CODE
    assert process.parsed == [source]
    process.ends()
    assert kept.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(process: Process, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process.starts(tmp_path / "file" / "kept.json")
    assert code_of(source) == CODE
    process.ends()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "source.py"]
