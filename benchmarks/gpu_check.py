"""Check the training of every recipe on this machine's GPU: results, speed, memory, resuming and sharing.

    python benchmarks/gpu_check.py [--recipes eat_2025 acae] [--rows compared timed] [--cpu]

Every row is PASS or FAIL; a FAIL makes the exit status 1. Rows are printed as they are done, so that a run that is
stopped has shown what it found; only the tables that are made at the same time are printed whole. Networks are as large
as in config/systems except in `compared`, weights are random, and clips are artificial. `--cpu` runs the same rows on
the CPU at small sizes. A whole run has not been timed: on an H200 with 16 cores, everything but `compiled` and some
rows of `graphed` took six minutes, before it was made shorter again.

Rows of the table `compared` show the relative errors of loss, gradient and embeddings against float32 on the CPU.
Random numbers are drawn on the CPU in both, so that dropout and masks agree. Only float32 and the precision in which
the recipe trains can fail. Rows of the table `timed` show a step of one batch that is on the device already (`ms`;
`host ms` until it is submitted; `busy ms` in which the device computes), its waits for the device, the peak of memory,
how many blocks of it these steps have asked the driver for, which takes long, and the step in the real training loop
(`fed ms`), with `cuda_graph` where the recipe asks for it. The host has as many threads as a job. The device is `idle`
for the share of the loop's time in which it does not compute; the goal is below 5 %.
`graphed` compares losses with and without `cuda_graph`, and `compiled` times what can make DisMAE faster. The other
tables do the work of jobs: trainings that are killed, run out of memory, wait for the card of another one, or use two
cards. Those that are made at the same time take about 70 GiB of the card, by estimate: on a smaller one, name `--rows`
one by one.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gpu_graphs
import gpu_rows
import gpu_sharing
import gpu_shortage
import gpu_speed
import gpu_work
import torch
from gpu_recipes import recipes
from own_process import die_with_parent, matrix_peak

from asdlib.runtime.job_environment import yield_cores

# Tables whose times do not matter are made at the same time.
BESIDE = ("trained", "leases", "compared", "memory", "graphed")
AT_ONCE = 4  # comparisons, whose time does not matter
PER_PROCESS = 6  # rows of small cost that share a process, because it takes seconds to start one
MODULES = ["gpu_graphs", "gpu_rows", "gpu_sharing", "gpu_shortage", "gpu_speed", "gpu_work"]
MACHINE = (
    "python", "torch", "card", "driver", "GiB", "cuDNN", "TF32 in matmul, cuDNN", "TFLOP/s bf16", "TFLOP/s float32",
    "TFLOP/s tf32", "row s",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table: its columns, its rows (name, function, arguments), and how they share processes."""

    columns: Sequence[str]
    rows: list[tuple[str, Callable[..., dict[str, Any]], tuple]]
    at_once: int = 1
    per_process: int = 1


def main() -> None:
    """Run the rows and print one Markdown table per kind of row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for _, name in recipes()]
    parser.add_argument("--recipes", nargs="+", choices=names, default=names, metavar="RECIPE")
    parser.add_argument("--rows", nargs="+", choices=list(tables([], small=True)))
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    start = time.monotonic()
    yield_cores()  # as in jobs: PyTorch reads it in the processes of rows
    # The server that forks the processes of rows looks for modules there, and imports none that it does not find.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    registries = {name: registry for registry, name in recipes()}
    chosen = [(registries[name], name) for name in options.recipes]
    found = tables(chosen, options.cpu)
    names = [name for name in found if name in (options.rows or found)]
    failed = []
    for name, rows in _rows({name: found[name] for name in names}):
        failed.append(_print(name, found[name], rows))
        print(f"\n{time.monotonic() - start:.0f} s so far", flush=True)
    print(f"\n{sum(failed)} rows failed; {time.monotonic() - start:.0f} s")
    sys.exit(any(failed))


def tables(chosen: list[tuple[str, str]], small: bool) -> dict[str, Table]:
    """Return all tables for the chosen recipes, (registry, name); `small` is for the CPU."""
    device = "cpu" if small else "cuda"
    two = small or torch.cuda.device_count() > 1

    def each(work: Callable, names: Sequence[str] | None = None) -> list:
        of = [pair for pair in chosen if names is None or pair[1] in names]
        return [(name, work, (registry, name, small, device)) for registry, name in of]

    def one(name: str, work: Callable) -> list:
        return [(name, work, (small, device))]

    compared = [(name, gpu_rows.compared, (registry, name, device)) for registry, name in chosen]
    trained = [(gpu_work.TRAINED, gpu_work.trained, (gpu_work.TRAINED, small, device))]
    graphed = [(pair[1], gpu_graphs.replayed, (*pair, small, device)) for pair in gpu_graphs.graphed(chosen)]
    memory = [
        *one(f"resumed on {gpu_shortage.FEW_GIB:.0f} GiB", gpu_shortage.on_few_gib),
        *one(f"in parts on {gpu_shortage.DIVIDED_GIB:.0f} GiB", gpu_shortage.divided),
    ]
    filled = one("resumed on a full card", gpu_shortage.on_a_full_card)
    return {
        "machine": Table(MACHINE, [("this machine", described, (device,))]),
        "trained": Table(gpu_work.TRAINED_COLUMNS, trained),
        "leases": Table(["second starts after, s", "row s"], one("two jobs", gpu_sharing.leases)),
        "compared": Table([*gpu_rows.COLUMNS, "row s"], compared, AT_ONCE, PER_PROCESS),
        "memory": Table(["examples at a time", "row s"], [] if small else memory, len(memory)),
        "graphed": Table(gpu_graphs.GRAPH_COLUMNS, graphed, 1, PER_PROCESS),
        "filled": Table(["row s"], [] if small else filled),
        "parallel": Table(["weights apart", "row s"], one("devices: 2", gpu_sharing.parallel) if two else []),
        "timed": Table(gpu_speed.COLUMNS, each(gpu_speed.timed), 1, 2 * PER_PROCESS),
        "compiled": Table(gpu_graphs.COMPILE_COLUMNS, each(gpu_graphs.compiled, gpu_graphs.COMPILED)),
    }


def described(device: str) -> dict[str, Any]:
    """Return the device, its software, and the rates of large matrix products."""
    row: dict[str, Any] = {"faults": [], "python": platform.python_version(), "torch": torch.__version__}
    if device == "cuda":
        row["card"] = torch.cuda.get_device_name()
        row["driver"] = _driver()
        row["GiB"] = torch.cuda.get_device_properties(0).total_memory / 2**30
        row["cuDNN"] = torch.backends.cudnn.version()
        row["TF32 in matmul, cuDNN"] = f"{torch.backends.cuda.matmul.allow_tf32}, {torch.backends.cudnn.allow_tf32}"
    for name, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        row[f"TFLOP/s {name}"] = matrix_peak(torch.device(device), dtype) / 1e12
    if device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        row["TFLOP/s tf32"] = matrix_peak(torch.device(device), torch.float32) / 1e12
    return row


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def _rows(tables: dict[str, Table]) -> Iterator[tuple[str, Iterable[tuple[str, dict[str, Any]]]]]:
    """Yield each table's name and its rows as they are done; those of `BESIDE` follow each other."""
    with ThreadPoolExecutor(len(BESIDE)) as pool:
        started: dict[str, Future] = {}
        for name, table in tables.items():
            if name in BESIDE and not started:
                started = {one: pool.submit(list, _done(tables[one])) for one in BESIDE if one in tables}
            yield name, started[name].result() if name in started else _done(table)


def _print(name: str, table: Table, rows: Iterable[tuple[str, dict[str, Any]]]) -> int:
    """Print each row of a table when it is done; return how many failed."""
    if not table.rows:
        return 0
    print(f"\n## {name}\n\n| | {' | '.join(table.columns)} | |\n|---|{'---|' * len(table.columns)}---|", flush=True)
    failed = 0
    for label, row in rows:
        cells = " | ".join(_text(row.get(column, "")) for column in table.columns)
        verdict = "; ".join(["FAIL", *row["faults"]]) if row["faults"] else "PASS"
        print(f"| {label} | {cells} | {verdict} |", flush=True)
        failed += bool(row["faults"])
    return failed


def _done(table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the figures of each row when it is done.

    Each part of the rows has its own pool, because one whose processes end after some rows can wait for ever for more.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    size = table.at_once * table.per_process
    for first in range(0, len(table.rows), size):
        with ProcessPoolExecutor(table.at_once, mp_context=context, initializer=die_with_parent) as pool:
            rows = table.rows[first : first + size]
            names = {pool.submit(_row, work, given, table.at_once): label for label, work, given in rows}
            for future in as_completed(names):
                try:
                    yield names[future], future.result()
                except Exception as error:
                    yield names[future], {"faults": [f"{type(error).__name__}: {error}"]}


def _row(work: Callable[..., dict[str, Any]], given: tuple, at_once: int) -> dict[str, Any]:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // at_once))  # a process runs several rows
    start = time.monotonic()
    try:
        return work(*given) | {"row s": time.monotonic() - start}
    except Exception as error:
        traceback.print_exc()
        return {"faults": [f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"]}


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
