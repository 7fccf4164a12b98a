"""Tables that say that they could not be made because a machine has too few clips."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asdlib.data.tables import writing
from asdlib.errors import REFUSED, TooFewClipsError

_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


@contextmanager
def refusable(path: Path) -> Iterator[None]:
    """Write a table without rows that says why, if the block that should write `path` finds too few clips."""
    try:
        yield
    except TooFewClipsError as error:
        _notice.warning("%s: not made: %s", path, error)
        with writing(path, {}, {REFUSED: str(error)}):
            pass
