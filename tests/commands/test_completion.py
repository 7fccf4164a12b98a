"""`asdlib completion`: what a shell offers after some words."""

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from asdlib.cli import COMMANDS, build_parser, main
from asdlib.commands import info
from asdlib.commands.completion import SHELLS, script

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_asdlib; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording and two systems, of which the second must not be run."""
    (tmp_path / "config" / "systems").mkdir(parents=True)
    for name in ("config/systems/system1.yaml", "config/systems/$(touch run).yaml", "my.wav"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script(shell: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert printed == script(shell, build_parser())
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


def test_zsh_completes_what_is_typed(folder: Path) -> None:
    """With the script in .zshrc, as the FAQ says, and the Tab key."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("NOT CHECKED HERE: zsh is not installed")
    (folder / ".zshrc").write_text(f"{script('zsh', build_parser())}\nPS1=; unsetopt prompt_cr; echo ready\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "ZDOTDIR": str(folder), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    zsh = subprocess.Popen([program, "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment)
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
    assert not (folder / "run").exists()


def _until(terminal: int, expected: str) -> str:
    """Return what appears on a terminal, until what is expected is there, or for half a minute."""
    shown, end = "", time.monotonic() + 30
    while expected not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode()
    return shown


OFFERED = {
    "asdlib ta": ["table"],
    "asdlib run system": ["system1"],
    "asdlib run --gp": ["--gpus"],
    "asdlib completion z": ["zsh"],
    "asdlib check --longer s": ["split"],
    "asdlib check sp": [],  # a word of an option
    "asdlib info x": [],
}


@pytest.mark.parametrize(("typed", "offered"), OFFERED.items(), ids=OFFERED)
def test_bash_offers(folder: Path, typed: str, offered: list[str]) -> None:
    (folder / "completion").write_text(script("bash", build_parser()))
    command = ["bash", "--norc", "-c", ASK, "bash", "./completion", *typed.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == offered
    assert not (folder / "run").exists()


IN_FISH = OFFERED | {
    "asdlib --v": ["--version"],
    "asdlib score m": ["my.wav"],
    "asdlib completion ": ["bash", "fish", "zsh"],
}


@pytest.mark.parametrize(("typed", "offered"), IN_FISH.items(), ids=IN_FISH)
def test_fish_offers(folder: Path, typed: str, offered: list[str]) -> None:
    """It describes commands and options after a tab."""
    program = shutil.which("fish")
    if program is None:
        pytest.skip("NOT CHECKED HERE: fish is not installed")
    (folder / "completion").write_text(script("fish", build_parser()))
    command = [program, "--no-config", "-c", "source completion; complete -C $argv", typed]
    done = subprocess.run(command, cwd=folder, env={"HOME": str(folder)}, capture_output=True, text=True, check=True)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == offered
    assert not (folder / "run").exists()


def test_fish_describes_commands() -> None:
    assert f'-a info -d "{info.HELP}"\n' in script("fish", build_parser())
