"""Benchmark of training steps beside other programs: how soon a thread that waits gives up its core.

    python benchmarks/bench_beside.py [--recipe dense_ae] [--threads 2] [--seconds 5] [--beside 0 1 2]

A process takes steps of a recipe at full size, with each setting of GOMP_SPINCOUNT, alone and beside programs that keep
a core busy. Nothing else must run. Printed are ms per step, and in parentheses the longest step.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from measure import machine

SPINS = ("", "0", "300", "1000", "10000")  # "" is GNU OpenMP's own: 300,000


def main() -> None:
    """Print a table, or take the steps of one of its cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dense_ae")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--beside", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cell", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        print(steps(options.recipe, options.threads, options.seconds))
        return
    print(machine(), flush=True)
    print(f"| GOMP_SPINCOUNT | {' | '.join(f'beside {count}' for count in options.beside)} |")
    print(f"|---|{'---|' * len(options.beside)}")
    for spins in SPINS:
        cells = []
        for count in options.beside:
            with busy(count):
                cells.append(cell(spins))
        print(f"| {spins or 'not set'} | {' | '.join(cells)} |", flush=True)


def cell(spins: str) -> str:
    """Return what a process prints that was started with the options of this one and a setting."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": spins} if spins else {}
    command = [sys.executable, __file__, *sys.argv[1:], "--cell"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, encoding="utf-8").stdout.strip()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep cores busy while the block runs."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def steps(name: str, threads: int, seconds: float) -> str:
    """Take training steps of a recipe; return the mean and the longest in ms."""
    import torch  # reads GOMP_SPINCOUNT
    from gpu_recipes import case

    torch.set_num_threads(threads)
    made = case("models", name, small=False, clips=14)
    (batch,) = made.batches(1, torch.device("cpu"), made.training.batch_size)
    optimizer = torch.optim.Adam(made.network.train().parameters())
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        optimizer.zero_grad()
        made.network.loss(batch).backward()
        optimizer.step()
        taken.append(time.perf_counter() - begun)
    taken = taken[3:]  # the first ones make what the others reuse
    return f"{1000 * sum(taken) / len(taken):.1f} ({1000 * max(taken):.0f})"


if __name__ == "__main__":
    main()
