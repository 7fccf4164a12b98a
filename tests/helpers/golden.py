"""The location of the golden data, outputs of reference implementations for the parity tests."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FOLDERS = (TESTS / "golden", TESTS.parent.parent / "shared" / "reference" / "golden")


def golden(name: str) -> Path:
    """Return the folder or file `name` in $ASDLIB_GOLDEN if it is set, else in the first of `FOLDERS` that has it.

    Skip the calling test (at module level, the whole file) if none has it.
    """
    chosen = os.environ.get("ASDLIB_GOLDEN")
    folders = (Path(chosen),) if chosen else FOLDERS
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    tried = ", ".join(map(str, folders))
    pytest.skip(f"NO GOLDEN DATA {name!r} in {tried}: set ASDLIB_GOLDEN", allow_module_level=True)
