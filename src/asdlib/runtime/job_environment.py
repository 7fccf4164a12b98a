"""What jobs find in their environment: this checkout, its library, and the Python that runs Snakemake."""

import os
import sys
from pathlib import Path


def export(root: Path) -> None:
    """Set ASDLIB (the checkout), PYTHONPATH and PATH for the jobs.

    Jobs must run the very library that the code hashes were taken from, from any working directory. Under
    `--sdm conda` the environment's own Python comes first all the same: activation happens later.
    """
    os.environ["ASDLIB"] = str(root)
    os.environ["PYTHONSAFEPATH"] = "1"  # as `python -P`, for processes that a job starts itself
    _prepend("PYTHONPATH", f"{root}/src")
    _prepend("PATH", str(Path(sys.executable).parent))


def is_first() -> bool:
    """Tell whether this is a job's first process: a training on several devices starts further ones (LOCAL_RANK)."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _prepend(variable: str, entry: str) -> None:
    entries = os.environ.get(variable, "").split(os.pathsep)
    os.environ[variable] = os.pathsep.join([entry, *(other for other in entries if other not in ("", entry))])
