"""The record of a job: its time, its processor time and the peak of its memory.

The process itself knows them exactly when it ends. Snakemake's `benchmark` asks for them twice a second instead, which
took 8 % of the time of a part of the demo: summing up the memory of a process with PyTorch takes 20 ms, and it waits
meanwhile.
"""

import re
import resource
import time
from pathlib import Path

BEGUN = time.monotonic()  # `job_start` imports this module before anything that takes time
STATUS = Path("/proc/self/status")


def write_record(path: Path) -> None:
    """Write the record of this job, a row of tab-separated values.

    `s` is the time since its start and `cpu_time` its processor time with that of its child processes, both in s;
    `max_rss` is the highest memory of the process itself, in MiB.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    values = {
        "s": time.monotonic() - BEGUN,
        "max_rss": _peak(),
        "cpu_time": sum(one.ru_utime + one.ru_stime for one in used),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ("\t".join(values), "\t".join(f"{value:.2f}" for value in values.values()))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _peak() -> float:
    """Return the highest memory of this process in MiB.

    On Linux, `ru_maxrss` is at least the memory of the process that has started it, Snakemake.
    """
    if STATUS.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="utf-8", errors="replace"))[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS, in bytes
