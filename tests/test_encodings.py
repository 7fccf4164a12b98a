"""Text is UTF-8 in every file, whatever the locale, and no terminal is too old for a message."""

import ast
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asdlib.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for folder in ("src", "workflow", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
POSITIONS = {"read_text": 0, "write_text": 1, "open": 2}  # of the encoding among a method's arguments
GOLDEN = ROOT / "tests" / "golden" / "official_metrics" / "set_1_plain"


def in_the_locale(tree: ast.Module) -> Iterator[int]:
    """Yield the lines that read or write text in the locale's encoding, because they name none."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if keywords.keys() & {"text", "universal_newlines"} and "encoding" not in keywords:  # subprocess
            yield node.lineno
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in POSITIONS or "encoding" in keywords or len(node.args) > POSITIONS[name]:
            continue
        if name != "open" or _is_text(keywords.get("mode") or next(iter(node.args), ast.Constant("r"))):
            yield node.lineno


def _is_text(mode: ast.expr) -> bool:
    """Return whether a mode may open a file as text; what is no mode is the argument of another `open` (os, zip, …)."""
    words = [part.value for part in ast.walk(mode) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return any("b" not in word for word in words)


def test_text_files_name_their_encoding() -> None:
    found = {path: list(in_the_locale(ast.parse(path.read_bytes()))) for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("path.open()", True), ("path.open('w')", True), ("path.open(mode='a+')", True),
        ("path.open('r' if old else 'w', newline='')", True), ("path.open('ab' if start else 'wb')", False),
        ("path.open('w', encoding='utf-8')", False), ("path.open('rb')", False), ("os.open(path, os.O_RDONLY)", False),
        ("path.read_text()", True), ("path.read_text('utf-8')", False), ("path.write_text(text)", True),
        ("path.write_text(text, 'utf-8')", False), ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, encoding='utf-8')", False),
    ],
)  # fmt: skip
def test_an_encoding_that_is_left_out_is_noticed(code: str, found: bool) -> None:
    assert bool(list(in_the_locale(ast.parse(code)))) == found


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> str:
    """Run a command on a terminal of an encoding and return what the terminal shows."""
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding, write_through=True))
    assert main(arguments) == 0
    return screen.getvalue().decode(encoding)


@pytest.mark.parametrize(("encoding", "sign"), [("ascii", r"\xb1"), ("latin-1", "±"), ("utf-8", "±"), ("cp437", "±")])
def test_a_sign_that_the_terminal_lacks_is_an_escape(monkeypatch, encoding: str, sign: str) -> None:
    arguments = ("evaluate", "--scores", str(GOLDEN / "submission"), "--truth", str(GOLDEN))
    assert f"official score 62.25 {sign} " in printed(monkeypatch, encoding, *arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_fails_on_an_ascii_terminal(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(COMMANDS[command], "run", lambda args: print("– \udcff ü"))
    options = {
        "evaluate": "--scores a --truth b",
        "export": "--system a --machine b --out c.onnx",
        "score": "a.wav --system a --machine b",
        "table": "a",
        "completion": "bash",
    }
    words = options.get(command, "").split()
    assert printed(monkeypatch, "ascii", command, *words) == "\\u2013 \\udcff \\xfc\n"


@pytest.mark.parametrize(
    "terminal",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["PYTHONIOENCODING", "C locale"],
)
def test_the_real_streams_are_meant(terminal: dict[str, str]) -> None:
    """The help of the command has the sign …"""
    command = [sys.executable, "-m", "asdlib.cli", "evaluate", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **terminal}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"anomaly_score_\u2026" in done.stdout
