"""The memory that the jobs of a local run can use together."""

import os
from collections.abc import Iterator
from pathlib import Path

from asdlib.runtime.control_groups import folders, text_of

SHARE = 0.9  # of the memory; the rest is for the system and for Snakemake itself
LIMITS = ("memory.max", "memory.limit_in_bytes")  # of control groups version 2 and version 1


def usable_mb(root: Path = Path("/")) -> int | None:
    """Return how much memory jobs can use together in MB, or None if the system does not say how much it has.

    A container or an allocation of SLURM has less than the machine: the limits of the control groups count.
    """
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    return int(SHARE * min([total, *_limits(root)]) / 1e6)


def _limits(root: Path) -> Iterator[int]:
    """Yield the memory limits of this process's control groups, in bytes; without a limit, version 2 says `max`."""
    for folder in folders("memory", root):
        texts = (text_of(folder / name).strip() for name in LIMITS)
        yield from (int(text) for text in texts if text.isdigit())
