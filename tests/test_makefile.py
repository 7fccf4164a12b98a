"""The installation by `make`: which Python is refused, before anything is written."""

import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a Python that checks, and makes no environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # of the `make test` that runs this one
        monkeypatch.delenv(name, raising=False)
    for name in ("pyproject.toml", "constraints.txt"):
        Path(name).touch()
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} -c "$2"\necho "makes $3"\nexit 1\n')
    script.chmod(0o755)
    return script


def installed(python: Path) -> str:
    """Return what `make` prints for an installation, which must fail."""
    call = ["make", "-f", str(MAKEFILE), f"PYTHON={python}", ".venv/.installed"]
    done = subprocess.run(call, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2
    return done.stdout + done.stderr


def test_an_environment_of_another_python_is_refused_and_stays(python: Path) -> None:
    Path(".venv/lib/python3.9").mkdir(parents=True)
    line = f".venv is of python3.9: remove the folder to use {OWN}, or run make PYTHON=python3.9\n"
    printed = installed(python)
    assert printed.startswith(line)
    assert "makes" not in printed
    assert [path.name for path in Path(".venv").iterdir()] == ["lib"]


@pytest.mark.parametrize("there", [None, OWN])
def test_one_of_the_same_python_is_used(python: Path, there: str | None) -> None:
    if there:
        Path(f".venv/lib/{there}").mkdir(parents=True)
    assert "makes .venv\n" in installed(python)


def test_an_old_python_is_refused(python: Path) -> None:
    python.write_text(python.read_text().replace('-c "$2"', '-c "import sys; sys.version_info = (3, 10); $2"'))
    assert installed(python).startswith("asdlib needs Python 3.11 or newer: make PYTHON=python3.11 …\n")
