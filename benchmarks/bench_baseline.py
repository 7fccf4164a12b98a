"""Benchmark of the whole workflow: full-size machines, both variants of the official baseline, on the CPU.

    python benchmarks/bench_baseline.py [--machines 1] [--cores 2] [--threads 2] [--epochs 100] [--folder FOLDER]

All machines have the same recordings. With `--threads 1`, as many trainings as cores run side by side.

Prints the cost of each stage (from Snakemake's benchmark files) and of the run. It also prints the rate at which this
computer multiplies matrices of the network's sizes, which gives a lower bound for the time of the training.
"""

import argparse
import csv
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from measure import machine, run
from recordings import write_machine
from torch.nn import functional

STAGES = ("prepare", "extract_features", "train_model", "embed", "score", "tabulate")
VECTORS = 309 * 900  # of 1,000 clips of 10 s, less the tenth that is held out
WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)


def main() -> None:
    """Run the workflow and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of each training")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/output"))
    options = parser.parse_args()
    folder = (options.folder / "baseline").resolve()
    data = folder / f"full_scale_{options.machines}"
    _write_machines(data, options.machines)
    shutil.rmtree(folder / "run", ignore_errors=True)
    root = Path(__file__).resolve().parents[1]
    epochs = f"override={{models: {{dense_ae: {{training: {{epochs: {options.epochs}}}}}}}}}"
    cost = run(
        [
            str(Path(sys.executable).with_name("snakemake")), "results/baseline/scores.csv", "--quiet", "all",
            "--cores", str(options.cores), "--snakefile", str(root / "Snakefile"), "--directory", str(folder / "run"),
            "--config", f"data={data}", f"threads={options.threads}", epochs,
        ]
    )  # fmt: skip
    print(f"{machine()}, torch {torch.__version__}, {options.machines} machines, {options.cores} cores used, "
          f"{options.threads} threads for a training, {options.epochs} epochs")  # fmt: skip
    print(f"{'stage':20}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    for stage in STAGES:
        print(f"{stage:20}{''.join(f'{figure:9.1f}' for figure in _stage(folder / 'run', stage))}")
    print(f"{'all, with Snakemake':20}{cost.wall:9.1f}{cost.cpu:9.1f}")
    rate = _matrix_rate(options.cores)
    floor = options.machines * options.epochs * 6 * VECTORS * sum(a * b for a, b in pairwise(WIDTHS)) / rate
    print(f"matrix products at these sizes: {rate / 1e9:.0f} GFLOP/s, hence {floor:.0f} s for all trainings")


def _write_machines(data: Path, number: int) -> None:
    """Write the recordings of the first machine, and copy them for the others."""
    first = write_machine(data)
    for copy in range(2, number + 1):
        shutil.copytree(first, data / f"machine_{copy}", dirs_exist_ok=True)


def _stage(folder: Path, stage: str) -> tuple[float, float, float]:
    """Return the wall time and the processor time (s) of a stage's jobs, and their largest peak of memory (MB)."""
    rows = []
    for path in (folder / "results" / "benchmarks" / stage).rglob("*.tsv"):
        with path.open(newline="", encoding="utf-8") as handle:
            rows += list(csv.DictReader(handle, delimiter="\t"))
    columns = ("s", "cpu_time", "max_rss")
    number = {name: [float(row[name]) for row in rows if row[name] not in ("NA", "-")] for name in columns}
    return sum(number["s"]), sum(number["cpu_time"]), max(number["max_rss"], default=0.0)


def _matrix_rate(cores: int) -> float:
    """Return the floating point operations per second of a linear layer's matrix product, for 256 × 640 × 128."""
    torch.set_num_threads(cores)
    left, right = torch.randn(256, 640), torch.randn(128, 640)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(50):
            functional.linear(left, right)
        best = min(best, (time.perf_counter() - start) / 50)
    return 2 * 256 * 640 * 128 / best


if __name__ == "__main__":
    main()
