"""Work that is measured in a process of its own, so that its peak of memory is its own."""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch


def alone(work: Callable, *arguments: Any) -> Any:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of wall and of processor time that some work takes, the GPU's part included."""
    _wait()
    start, cpu = time.perf_counter(), time.process_time()
    work()
    _wait()
    return time.perf_counter() - start, time.process_time() - cpu


def peaks() -> tuple[float, float]:
    """Return the process's largest size and its GPU's, MB."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gpu


def memory(size: float, gpu: float) -> str:
    """Name both peaks."""
    return f"peak {size:.0f} MB" + (f", GPU {gpu:.0f} MB" if gpu else "")


def place(device: torch.device, threads: int) -> str:
    """Name where it is computed."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"{threads} threads"


def busy(device: torch.device, wall: float, cpu: float) -> float:
    """Return the seconds that a rate is of: on a processor that others share, those that were ours."""
    return wall if device.type == "cuda" else cpu


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating point operations a second of large square matrix products: the machine's practical peak."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    left @ right
    return 2 * side**3 / min(busy(device, *timed(lambda: left @ right)) for _ in range(5))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
