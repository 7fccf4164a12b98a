"""The memory that the jobs of a local run can use together."""

import os
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.9  # of the memory; the rest is for the system and for Snakemake itself
LIMITS = {"": "memory.max", "memory": "memory.limit_in_bytes"}  # by controller: of cgroups version 2 and version 1


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
    """Yield the memory limits of this process's control group and of the groups above it, in bytes."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        for controller in {"", "memory"} & set(controllers.split(",")):
            top = root / "sys/fs/cgroup" / controller
            folder = top / group.lstrip("/")
            for place in (folder, *folder.parents):
                if place.is_relative_to(top):
                    yield from _limit(place / LIMITS[controller])


def _limit(path: Path) -> Iterator[int]:
    """Yield the limit that a file holds, if there is one; without a limit, version 2 says `max`."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return
    if text.isdigit():
        yield int(text)
