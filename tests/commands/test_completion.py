"""`asdlib completion`: what a shell offers after some words."""

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from asdlib.cli import COMMANDS, build_parser
from asdlib.commands.completion import SHELLS, script

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_asdlib; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script(shell: str) -> None:
    printed = script(shell, build_parser())
    assert all(name in printed for name in COMMANDS)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_read_the_script(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"NOT CHECKED HERE: {shell} is not installed")
    (tmp_path / "script").write_text(script(shell, build_parser()))
    assert subprocess.run([program, "-n", "script"], cwd=tmp_path, check=False).returncode == 0


COMPLETED = {
    "asdlib ta": "asdlib table ",
    "asdlib run system": "asdlib run system1 ",
    "asdlib run --gp": "asdlib run --gpus ",
    "asdlib completion z": "asdlib completion zsh ",
    "asdlib check --longer s": "asdlib check --longer split ",
    "asdlib score m": "asdlib score my.wav ",
}


def test_zsh_completes_what_is_typed(tmp_path: Path) -> None:
    """With the script in .zshrc, as the FAQ says, and the Tab key."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("NOT CHECKED HERE: zsh is not installed")
    (tmp_path / "config" / "systems").mkdir(parents=True)
    for name in ("config/systems/system1.yaml", "config/systems/$(touch run).yaml", "my.wav"):
        (tmp_path / name).touch()
    (tmp_path / ".zshrc").write_text(f"{script('zsh', build_parser())}\nPS1=; unsetopt prompt_cr; echo ready\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    zsh = subprocess.Popen([program, "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment)
    try:
        assert "ready" in _until(ours, "ready")
        for typed, completed in COMPLETED.items():
            os.write(ours, f"{typed}\t".encode())
            assert completed in _until(ours, completed)
            os.write(ours, b"\x15")  # deletes the line
    finally:
        zsh.kill()
        zsh.wait()
        os.close(ours)
        os.close(theirs)
    assert not (tmp_path / "run").exists()


def _until(terminal: int, expected: str) -> str:
    """Return what appears on a terminal, until what is expected is there, or for half a minute."""
    shown, end = "", time.monotonic() + 30
    while expected not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode()
    return shown


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["asdlib", "ta"], ["table"]),
        (["asdlib", "run", "system"], ["system1"]),
        (["asdlib", "run", "--gp"], ["--gpus"]),
        (["asdlib", "completion", "z"], ["zsh"]),
        (["asdlib", "check", "--longer", "s"], ["split"]),
        (["asdlib", "info", "x"], [""]),
    ],
)
def test_bash_offers(tmp_path: Path, typed: list[str], offered: list[str]) -> None:
    systems = tmp_path / "config" / "systems"
    systems.mkdir(parents=True)
    for name in ("system1.yaml", "$(touch run).yaml"):  # the second must not be run
        (systems / name).touch()
    (tmp_path / "completion").write_text(script("bash", build_parser()))
    command = ["bash", "--norc", "-c", ASK, "bash", "./completion", *typed]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == offered
    assert not (tmp_path / "run").exists()
