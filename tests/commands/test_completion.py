"""`asdlib completion`: what a shell offers after some words."""

import shutil
import subprocess
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
