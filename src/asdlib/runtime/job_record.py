"""The record of a job: its time, its processor time and the peak of its memory.

The process itself knows them exactly when it ends. Snakemake's `benchmark` asks for them twice a second instead, which
took 8 % of the time of a demo: summing up the memory of a process with PyTorch takes 20 ms, and it waits meanwhile.
"""

import resource
import sys
import time
from pathlib import Path

BEGUN = time.monotonic()  # the script of a job imports this module first
PER_MIB = 2**20 if sys.platform == "darwin" else 2**10  # in the unit of `ru_maxrss`


def write_record(path: Path) -> None:
    """Write the record of this job, a row of tab-separated values.

    `s` is the time since its start and `cpu_time` its processor time, both in s; `max_rss` the highest memory of the
    process plus that of the largest process that it has waited for, in MiB.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    values = {
        "s": time.monotonic() - BEGUN,
        "max_rss": sum(one.ru_maxrss for one in used) / PER_MIB,
        "cpu_time": sum(one.ru_utime + one.ru_stime for one in used),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ("\t".join(values), "\t".join(f"{value:.2f}" for value in values.values()))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
