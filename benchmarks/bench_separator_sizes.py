"""Benchmark of a separator's sizes: what they cost, and what they reach after the same number of steps.

    python benchmarks/bench_separator_sizes.py [--recipes conv_tasnet conv_tasnet_small] [--epochs 9] [--segment 0.5]
        [--device cuda]

Each recipe is trained by the step `train_separator` on the demo's machines with clean clips, which `config/demo.yaml`
describes, on one thread or on the GPU. The recipe is that of config/, except that mixtures last `--segment` seconds and
an epoch has `--per-epoch` of them, so that a CPU takes many steps. The improvement of the SI-SDR is that of held-out
mixtures, which are the same for all recipes; of it, the best epoch is shown, whose weights a training keeps. Training
is timed with its validation, whose share of the work is the same for all recipes: processor time on the CPU, wall time
on the GPU, whose memory is then that of the peak.
"""

import argparse
import csv
import logging
import tempfile
from pathlib import Path

import torch
import yaml
from full_size import CONFIG, resolved
from measure import machine
from own_process import alone, peaks, timed

from asdlib.data.demo.dataset import DemoSettings, synthesise
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.steps.train_separator import train_separator
from asdlib.workflow.recipes import merge

CLEAN, NOISE = ("bearing", "gearbox"), "fan"  # by the supplements that they have
VALIDATION = 16  # mixtures
CHOSEN = {
    "sections": ["00"],
    "recordings": None,
    "strict": True,
    "layout": "challenge",
    "test_share": 0.2,
    "supplements": None,
}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["conv_tasnet", "conv_tasnet_small"])
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--per-epoch", type=int, default=64)
    parser.add_argument("--segment", type=float, default=0.5)
    parser.add_argument("--machines", nargs="+", choices=CLEAN, default=CLEAN)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--override", type=Path)
    options = parser.parse_args()
    mixtures = f"{options.epochs} epochs of {options.per_epoch} mixtures of {options.segment:g} s"
    print(f"{machine()}, torch {torch.__version__}, one thread, {options.device}; {mixtures}")
    time = "s" if options.device == "cuda" else "CPU s"
    heads = ("recipe", "machine", "parameters, 10⁶", f"{time} per s", "peak MB", "SI-SDR improvement, dB (epoch)")
    print(f"| {' | '.join(heads)} | by epoch |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in (*options.machines, NOISE):
            alone(_recordings, name, folder)
        for recipe in options.recipes:
            for name in options.machines:
                print(f"| {' | '.join([recipe, name, *alone(_train, recipe, name, folder, options)])} |", flush=True)


def _recordings(name: str, folder: Path) -> None:
    demo = yaml.safe_load((CONFIG / "demo.yaml").read_text(encoding="utf-8"))
    settings = demo["datasets"]["demo"]["source"]
    synthesise(name, folder / name, DemoSettings.of(settings))
    wanted = PrepareSettings(16000, settings["seconds"], False, False, False, **CHOSEN)
    prepare(folder / name, "demo", name, folder / f"{name}.parquet", wanted)


def _train(recipe: str, name: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return the cells of a row; every epoch is also printed to stderr."""
    logging.basicConfig(level=logging.INFO, format=f"{recipe}, {name}: %(message)s")
    pairs = {"segment": options.segment, "per_epoch": options.per_epoch, "validation_mixtures": VALIDATION}
    changes = {"pairs": pairs, "training": {"epochs": options.epochs}}
    settings = merge(resolved("separators", recipe, options.override), changes)
    out, tables = folder / recipe / name, [folder / f"{one}.parquet" for one in (name, NOISE)]
    out.mkdir(parents=True)
    weights, history = out / "model.safetensors", out / "metrics.csv"
    on_gpu = options.device == "cuda"
    wanted = (settings, "", options.device, int(on_gpu), 1, None)
    wall, cpu = timed(lambda: train_separator(tables[0], tables[1:], weights, history, *wanted))
    reached = [float(row["si_sdr_improvement"]) for row in csv.DictReader(history.open(encoding="utf-8"))]
    seconds = len(reached) * options.per_epoch * options.segment  # a training may stop early
    best = max(range(len(reached)), key=reached.__getitem__)
    kept = f"{reached[best]:.2f} ({best + 1})"
    cost = f"{(wall if on_gpu else cpu) / seconds:.3f}"
    return [f"{weights.stat().st_size / 4e6:.2f}", cost, f"{peaks()[on_gpu]:.0f}", kept,
            " ".join(f"{one:.1f}" for one in reached)]  # fmt: skip


if __name__ == "__main__":
    main()
