"""The recordings that clips were split from (`prepare.longer: split`)."""

import re
from typing import TYPE_CHECKING

from asdlib.data.clip_format import SPLIT

if TYPE_CHECKING:
    from asdlib.data.tables import ClipTable

MISLEADING = "is named like a clip of a split recording (@ and seconds)"
_OFFSET = re.compile(r"@\d{5,}\.\d{3}(?=\.[^.]*\Z)", re.ASCII)


def recording_of(clip: str) -> str:
    """Return the name of the recording that a clip was split from; the name of any other clip is returned as it is.

    >>> recording_of("rec@00010.000.wav")
    'rec.wav'
    """
    return _OFFSET.sub("", clip)


def piece_to_test(table: "ClipTable") -> str | None:
    """Return the name of a test clip that was split from a longer recording, if a table of clips has one."""
    if table.recipe.get("longer") != SPLIT:
        return None
    names = table.clips("test").column("source_file").to_pylist()
    return next((name for name in names if recording_of(name) != name), None)
