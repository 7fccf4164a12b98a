"""Measurements in a process of their own, so that the peak of memory is their own."""

import ctypes
import resource
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch

from asdlib.runtime.devices import choose_device

PR_SET_PDEATHSIG = 1  # of Linux' prctl


def die_with_parent() -> None:
    """Let this process be killed when the one that started it ends, so that it does not keep the GPU. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def alone(work: Callable, *arguments: Any, start: str = "spawn") -> Any:
    """Return the result of a function that is called in a process of its own, which is started in the given way.

    `forkserver` saves the imports, which take most of a short call; the peak of memory then contains those of others.
    """
    with ProcessPoolExecutor(1, mp_context=get_context(start), initializer=die_with_parent) as pool:
        return pool.submit(work, *arguments).result()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time (s) of a call, including its work on the GPU."""
    _wait()
    start, cpu = time.perf_counter(), time.process_time()
    work()
    _wait()
    return time.perf_counter() - start, time.process_time() - cpu


def peaks() -> tuple[float, float]:
    """Return the peak memory of the process and that on the GPU (MB)."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gpu


def memory(size: float, gpu: float) -> str:
    """Return both peaks (MB) as text."""
    return f"peak {size:.0f} MB" + (f", GPU {gpu:.0f} MB" if gpu else "")


def processor(device: str, threads: int) -> str:
    """Return the name of the GPU, or the number of threads on the CPU.

    A process of its own asks for it: this one must not keep a lease of the only GPU, for which the next would wait.
    """
    return alone(_processor, device, threads)


def busy(device: torch.device, wall: float, cpu: float) -> float:
    """Return the time (s) to compute a rate with: processor time on a CPU, which other processes may share."""
    return wall if device.type == "cuda" else cpu


def matrix_peak(device: torch.device, dtype: torch.dtype, side: int | None = None) -> float:
    """Return the floating point operations per second of large square matrix products, the practical peak rate."""
    side = side or (8192 if device.type == "cuda" else 2048)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    left @ right
    return 2 * side**3 / min(busy(device, *timed(lambda: left @ right)) for _ in range(5))


def _processor(device: str, threads: int) -> str:
    return torch.cuda.get_device_name() if choose_device(device, gpus=1).type == "cuda" else f"{threads} threads"


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
