"""The end of a job or a command that has succeeded: the system takes its memory as a whole.

Python itself takes its modules and their objects apart one by one, which with PyTorch takes a fifth of a second or
more, and frees nothing that the end of the process does not free. All else happens as usual, and before: threads are
waited for, the functions that libraries have registered for the end are called, and what was printed is written.
"""

import atexit
import os
import sys
from contextlib import suppress

_succeeded = False


def prepare() -> None:
    """Let the process end quickly if `succeeded` is called. Functions that are registered later are called before."""
    atexit.register(_end)


def succeeded() -> None:
    """Say that the process has nothing left to do, and ends with code 0."""
    global _succeeded
    _succeeded = True


def _end() -> None:
    """End the process, unless its output cannot be written: Python then ends it with another code."""
    if not _succeeded:
        return
    import ctypes

    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        if ctypes.CDLL(None).fflush(None) == 0:  # of the libraries in C, which print as well
            os._exit(0)
