"""What the jobs of a local run may use: the machine's GPUs and memory, unless the user says otherwise, and forks."""

import sys
from collections.abc import Collection, Container

from asdlib.runtime import gpu_leases, gpus, host_memory


def found(given: Container[str], asks_for_gpus: bool, driver_fits: bool = True) -> dict[str, int]:
    """Return {resource: limit} for what `given`, the resources that the user limits, leaves open."""
    limits: dict[str, int] = {}
    if asks_for_gpus and "gpu" not in given:
        limits["gpu"] = gpu_leases.usable() if driver_fits else 0
    if "mem_mb" not in given and (memory := host_memory.usable_mb()) is not None:
        limits["mem_mb"] = memory
    return limits


def driver_fault(deployed: Collection[object]) -> str:
    """Return a line if the driver of the GPUs is too old for PyTorch, else an empty string.

    Jobs in an environment of conda or in a container, `deployed`, may have a PyTorch for an older driver.
    """
    return gpus.too_old() if gpu_leases.usable() and not deployed else ""


def can_fork(deployed: Collection[object]) -> bool:
    """Return whether the jobs of a local run can be forks of one process (`asdlib.runtime.job_server`).

    Jobs in an environment of conda or in a container, `deployed`, have other libraries.
    """
    return sys.platform == "linux" and not deployed


def in_words(limits: dict[str, int]) -> str:
    """Return what was found on this machine as a line; empty if there is nothing to say.

    >>> in_words({"gpu": 0, "mem_mb": 21737})
    'found here: no GPU, 21,737 MB of memory for jobs (other limits: --resources gpu=N mem_mb=N)'
    """
    if not limits:
        return ""
    parts = []
    if (number := limits.get("gpu")) is not None:
        parts.append("no GPU" if not number else f"{number} GPU{'s' if number > 1 else ''}")
    if "mem_mb" in limits:
        parts.append(f"{limits['mem_mb']:,} MB of memory for jobs")
    return f"found here: {', '.join(parts)} (other limits: --resources {' '.join(f'{name}=N' for name in limits)})"
