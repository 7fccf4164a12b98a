"""The checkout that the library belongs to: its version and dependencies, which only pyproject.toml states."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def version() -> str:
    """Return the version of the library."""
    return _project()["version"]


def dependencies() -> list[str]:
    """Return the names of the packages that the library needs."""
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in _project()["dependencies"]]


def pins() -> dict[str, str]:
    """Return the versions of constraints.txt by lower-case name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = (line.partition(";")[0].partition("==") for line in lines)  # some are for newer Pythons only
    return {name.lower(): version for name, _, version in pinned}


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
