"""What PyTorch needs in order to compile networks for a GPU: Triton, and what builds Triton's launchers."""

import importlib.util
import logging
import os
import shutil
import sysconfig
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)


@cache  # one warning per process
def can_compile() -> bool:
    """Return whether this node has Triton, a C compiler and Python's headers; warn of what is missing."""
    compilers = [os.environ["CC"]] if os.environ.get("CC") else ["gcc", "clang"]
    found = {
        "Triton": importlib.util.find_spec("triton") is not None,
        f"a C compiler ({' or '.join(compilers)})": any(map(shutil.which, compilers)),
        "Python's headers (Python.h)": (Path(sysconfig.get_path("include")) / "Python.h").is_file(),
    }
    if missing := [name for name, there in found.items() if not there]:
        _log.warning("compile: true: not compiled, only slower: this node lacks %s", " and ".join(missing))
    return not missing
