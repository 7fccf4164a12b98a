"""Time a whole process the operating system's way."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds of wall and processor time, and its largest size in MB."""

    wall: float
    cpu: float
    peak_mb: float


def run(command: list[str], core: int | None = None) -> Cost:
    """Run a command to its end, on one processor only if its number is given."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")}
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    start = time.monotonic()
    process = subprocess.Popen(pinned + command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed with status {status}")
    return Cost(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def machine() -> str:
    """Describe this machine in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}, {platform.system()}, Python {platform.python_version()}"
