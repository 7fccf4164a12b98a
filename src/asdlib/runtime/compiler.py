"""What PyTorch needs in order to compile networks for a GPU: Triton, and what builds Triton's launchers."""

import logging
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)


@cache  # one warning per process
def can_compile() -> bool:
    """Return whether this node has Triton, a C compiler and Python's headers; warn of what is missing."""
    found = {
        "Triton": any((Path(folder) / "triton").is_dir() for folder in sys.path),
        "a C compiler (gcc or clang)": any(map(shutil.which, ("gcc", "clang"))),
        "Python's headers (Python.h)": (Path(sysconfig.get_path("include")) / "Python.h").is_file(),
    }
    if missing := [name for name, there in found.items() if not there]:
        _log.warning("compile: true: not compiled, only slower: this node lacks %s", " and ".join(missing))
    return not missing
