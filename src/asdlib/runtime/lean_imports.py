"""Imports without packages that a library would import if they are installed, and that nothing here needs from it.

Each of them takes half a second or more at every start of a job.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Hider:
    """Finds no module of some names; the first place where Python looks for a module that is not loaded yet."""

    def __init__(self, names: tuple[str, ...]):
        self._names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Hide installed packages while the block imports libraries that can do without; loaded ones stay visible."""
    hider = _Hider(names)
    sys.meta_path.insert(0, hider)
    try:
        yield
    finally:
        sys.meta_path.remove(hider)


def keep_imports() -> None:
    """Look for garbage from now on, but not among what was imported since the search was switched off.

    A job and a command of the command line switch it off at their start. In any other process nothing changes.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def spare_pandas() -> None:
    """Let PyArrow, if it is loaded, convert lists and arrays without pandas from now on.

    PyArrow imports pandas once, at the first conversion, in order to know pandas' missing values. No list of a job has
    such values. Tables can still be converted to pandas. A process that has loaded pandas stays as it is.
    """
    if "pyarrow" in sys.modules:
        with hidden("pandas"):
            sys.modules["pyarrow"].array([""])
