"""What every test of bad input asks: one line that says it all, and nothing half-written."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from asdlib.errors import AsdError


def refused(step: Callable[[], object], complaint: str) -> None:
    """Run what must refuse its input in one line that the pattern `complaint` matches from end to end."""
    with pytest.raises(AsdError) as error:
        step()
    assert re.fullmatch(complaint, str(error.value)), f"expected {complaint}\n     got {error.value}"


def files(folder: Path) -> set[Path]:
    """Return every file below a folder, hidden ones included."""
    return {path for path in folder.rglob("*") if not path.is_dir()}
