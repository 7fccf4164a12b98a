"""The time and memory of a whole process, from the operating system."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """The cost of a process: wall time and processor time (s), and peak memory (MB)."""

    wall: float
    cpu: float
    peak_mb: float


def run(command: list[str], core: int | None = None, threads: int | None = None) -> Cost:
    """Run a command and return its cost.

    `core` is the number of the only core that it may use. Libraries use as many `threads` as Snakemake would let a job.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")}
    if threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    start = time.monotonic()
    process = subprocess.Popen(pinned + command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed with status {status}")
    return Cost(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def machine() -> str:
    """Return a line that describes this computer."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}, {platform.system()}, Python {platform.python_version()}"
