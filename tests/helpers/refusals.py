"""Checks for tests of bad input: the error message, and the files that exist."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from asdlib.errors import AsdError


def refused(step: Callable[[], object], complaint: str) -> None:
    """Check that `step` raises an AsdError whose whole message matches the pattern `complaint`."""
    with pytest.raises(AsdError) as error:
        step()
    assert re.fullmatch(complaint, str(error.value)), f"expected {complaint}\n     got {error.value}"


def files(folder: Path) -> set[Path]:
    """Return all files below a folder, including hidden ones."""
    return {path for path in folder.rglob("*") if not path.is_dir()}
