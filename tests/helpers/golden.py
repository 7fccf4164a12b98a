"""Where the golden data lie: outputs of the reference implementations that the parity tests compare with."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PLACES = (TESTS / "golden", TESTS.parent.parent / "shared" / "reference" / "golden")


def golden(name: str) -> Path:
    """The folder or file `name` in $ASDLIB_GOLDEN if that is set, else in the first of `PLACES` that has it.

    Skips the calling test (or, at module level, its whole file) if it is nowhere.
    """
    chosen = os.environ.get("ASDLIB_GOLDEN")
    places = (Path(chosen),) if chosen else PLACES
    for place in places:
        if (place / name).exists():
            return place / name
    tried = ", ".join(map(str, places))
    pytest.skip(f"NO GOLDEN DATA {name!r} in {tried}: set ASDLIB_GOLDEN", allow_module_level=True)
