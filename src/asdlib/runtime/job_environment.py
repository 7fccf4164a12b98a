"""The environment variables of jobs: this checkout, its library, and the Python that runs Snakemake."""

import os
import sys
from pathlib import Path


def export(root: Path) -> None:
    """Set ASDLIB (the checkout), PYTHONPATH, PATH and the text encoding for the jobs.

    Jobs must run the library that the code hashes were computed from, in any working directory. With `--sdm conda` the
    Python of the conda environment still comes first, because it is activated later.
    """
    os.environ["ASDLIB"] = str(root)
    os.environ["PYTHONSAFEPATH"] = "1"  # like `python -P`, for processes started by a job
    os.environ["PYTHONUTF8"] = "1"  # whatever the locale, jobs read and write UTF-8
    os.environ.pop("PYTHONIOENCODING", None)
    _prepend("PYTHONPATH", f"{root}/src")
    _prepend("PATH", str(Path(sys.executable).parent))


def in_utf8() -> dict[str, str]:
    """Return this process's environment for a Python whose output is read: it writes UTF-8, whatever the locale."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"} | {"PYTHONUTF8": "1"}


def is_first() -> bool:
    """Return whether this is a job's first process; a training on several devices starts more (LOCAL_RANK)."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _prepend(variable: str, entry: str) -> None:
    entries = os.environ.get(variable, "").split(os.pathsep)
    os.environ[variable] = os.pathsep.join([entry, *(other for other in entries if other not in ("", entry))])
