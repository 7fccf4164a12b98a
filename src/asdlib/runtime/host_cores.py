"""The processor cores that this process may use at a time."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from asdlib.runtime.control_groups import folders, text_of


def usable(root: Path = Path("/")) -> int:
    """Return how many cores this process may use at a time.

    A container may be given some processor time of all cores (`docker run --cpus`, Kubernetes), which Snakemake's
    `--cores all` does not know.
    """
    return min([available(), *(max(1, math.ceil(quota)) for quota in _quotas(root))])


def available() -> int:
    """Return how many cores this process may run on."""
    if not hasattr(os, "sched_getaffinity"):  # macOS
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def too_many(cores: int, root: Path = Path("/")) -> str:
    """Return a line for a run with more cores than its process may use at a time; empty if it has so many."""
    most = usable(root)
    if cores <= most:
        return ""
    return f"--cores: {cores} are more than the {most} that may be used here at a time: give --cores {most}"


def _quotas(root: Path) -> Iterator[float]:
    """Yield how many cores each of this process's control groups may use; without a limit, they say `max` or -1."""
    for folder in folders("cpu", root):
        version_1 = [text_of(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        version_2 = text_of(folder / "cpu.max").split()
        for limit in (version_1, version_2):
            if len(limit) == 2 and all(text.isdigit() and int(text) for text in limit):
                yield int(limit[0]) / int(limit[1])
