"""Check the training of every recipe on this machine's GPU: results, speed, memory and resuming.

A whole run takes about twelve minutes on an H100 (summed from two partial runs).

    python benchmarks/gpu_check.py [--recipes eat_2025 acae] [--rows compared timed] [--cpu]

Every row runs in a process of its own and is PASS or FAIL; a FAIL makes the exit status 1. Networks are as large as in
config/systems, weights are random, and clips are artificial. `--cpu` runs the same rows on the CPU at small sizes.

Rows of the table `compared` show the relative errors of loss, gradient and embeddings against float32 on the CPU.
Random numbers are drawn on the CPU in both, so that dropout and masks agree. Rows of the table `timed` show a step of
one batch that is on the device already (`ms`; `host ms` until it is submitted), its waits for the device, the peak of
memory, and the same step in the real training loop (`fed ms`).
"""

import argparse
import platform
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch
from gpu_recipes import recipes
from gpu_rows import compared, timed
from gpu_work import full_card, trained
from own_process import matrix_peak

TRAINED = "eat_10k_2025"  # trained in full size from files
AT_ONCE = 4  # comparisons, whose time does not matter
ROWS = ("machine", "compared", "timed", "trained", "full_card")


def main() -> None:
    """Run the rows and print one Markdown table per kind of row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=[name for _, name in recipes()])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    device = "cpu" if options.cpu else "cuda"
    chosen = [(registry, name) for registry, name in recipes() if name in options.recipes]
    start = time.monotonic()
    tables = {
        "machine": [("this machine", described, (device,))],
        "compared": [(name, compared, (registry, name, options.cpu, device)) for registry, name in chosen],
        "timed": [(name, timed, (registry, name, options.cpu, device)) for registry, name in chosen],
        "trained": [(TRAINED, trained, (TRAINED, options.cpu, device))],
        "full_card": [] if options.cpu else [("resume on a full card", full_card, (options.cpu, device))],
    }
    failed = [_print(table, tables[table], AT_ONCE if table == "compared" else 1) for table in options.rows]
    print(f"\n{sum(failed)} rows failed; {time.monotonic() - start:.0f} s")
    sys.exit(any(failed))


def described(device: str) -> dict[str, Any]:
    """Return the device, its software, and the rates of large matrix products."""
    row: dict[str, Any] = {"faults": [], "python": platform.python_version(), "torch": torch.__version__}
    if device == "cuda":
        row["card"] = torch.cuda.get_device_name()
        row["GiB"] = torch.cuda.get_device_properties(0).total_memory / 2**30
        row["cuDNN"] = torch.backends.cudnn.version()
        row["TF32 in matmul, cuDNN"] = f"{torch.backends.cuda.matmul.allow_tf32}, {torch.backends.cudnn.allow_tf32}"
    for name, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        row[f"TFLOP/s {name}"] = matrix_peak(torch.device(device), dtype) / 1e12
    if device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        row["TFLOP/s tf32"] = matrix_peak(torch.device(device), torch.float32) / 1e12
    return row


def _print(table: str, rows: list[tuple[str, Callable, tuple]], at_once: int) -> int:
    """Run the rows of a table, each in a process of its own, and print them; return how many failed."""
    if not rows:
        return 0
    context = get_context("forkserver")
    context.set_forkserver_preload(["gpu_rows", "gpu_work"])
    with ProcessPoolExecutor(at_once, mp_context=context, max_tasks_per_child=1) as pool:
        futures = [pool.submit(_row, work, given, at_once) for _, work, given in rows]
        found = []
        for (name, *_), future in zip(rows, futures, strict=True):
            try:
                found.append((name, future.result()))
            except Exception as error:
                found.append((name, {"faults": [f"{type(error).__name__}: {error}"]}))
            print(f"{table} {name}: {found[-1][1]}", file=sys.stderr, flush=True)
    columns = list(dict.fromkeys(key for _, row in found for key in row if key != "faults"))
    print(f"\n## {table}\n\n| | {' | '.join(columns)} | |\n|---|{'---|' * len(columns)}---|")
    for name, row in found:
        verdict = "; ".join(["FAIL", *row["faults"]]) if row["faults"] else "PASS"
        print(f"| {name} | {' | '.join(_text(row.get(column, '')) for column in columns)} | {verdict} |")
    return sum(bool(row["faults"]) for _, row in found)


def _row(work: Callable[..., dict[str, Any]], given: tuple, at_once: int) -> dict[str, Any]:
    torch.set_num_threads(max(1, torch.get_num_threads() // at_once))
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
