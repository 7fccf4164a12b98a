"""The recordings that clips were split from (`prepare.longer: split`)."""

import re

_OFFSET = re.compile(r"@\d{5,}\.\d{3}(?=\.[^.]*\Z)", re.ASCII)


def recording_of(clip: str) -> str:
    """Return the name of the recording that a clip was split from; the name of any other clip is returned as it is.

    >>> recording_of("rec@00010.000.wav")
    'rec.wav'
    """
    return _OFFSET.sub("", clip)
