"""Benchmark of the models of systems 2 and 4: training and embedding, in clips per second and relative to the peak.

    python benchmarks/bench_ssl.py [--models beats_phase1 eat_10k_2025] [--batch 4] [--steps 2] [--threads 1]
                                   [--precision bf16]

The features of clips of 10 s are given, weights are random, and the optimiser takes a step after every batch. Sizes and
optimiser are those of config/systems; `--override` names a YAML file with a block `override` that changes them. A GPU
is used if there is one, unless `--device cpu` is given; `--device cuda` fails without one. There, networks train in the
recipe's precision and embed in float32, unless `--precision` is given; on a CPU all is in float32. Every figure comes
from a process of its own, so that its peak memory is its own. The first step is not measured, as a warm-up.

The operations of matrix products and convolutions are counted. Their rate is compared to that of large matrix products
in the same process and precision. On a CPU, which other processes may share, both rates are per second of processor
time.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from full_size import resolved
from measure import machine
from own_process import alone, busy, matrix_peak, memory, peaks, processor, timed
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from asdlib.examples.clips import Batch
from asdlib.frontends import FRONTENDS
from asdlib.models import MODELS
from asdlib.runtime.devices import choose_device
from asdlib.training.arithmetic import EXACT, computing, shown
from asdlib.training.optimisation import build_optimizer
from asdlib.training.settings import Training
from asdlib.workflow.arguments import arguments

SAMPLES = 160000  # 10 s
CLASSES = {"classes": [f"class {number}" for number in range(100)]}
RECIPES = [
    "audiomae_adapted", "audiomae_phase1", "audiomae_phase2", "beats_phase1", "beats_phase2", "fusion_attention",
    "fusion_mean", "eat_2025", "eat_10k_2025",
]  # fmt: skip
DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", choices=RECIPES, nargs="+", default=RECIPES)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=sorted(DTYPES))
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--override", type=Path)
    options = parser.parse_args()
    where = processor(options.device, options.threads)
    print(f"{machine()}, torch {torch.__version__}, {where}, {options.batch} clips per batch")
    for name in options.models:
        settings = resolved("models", name, options.override)
        for what, work in (("training", _train), ("embedding", _embed)):
            print(f"{f'{name}: {what}':30}{alone(work, settings, options)}", flush=True)


def _train(settings: dict, options: argparse.Namespace) -> str:
    """Return a line about training steps."""
    network, batch = _prepared(settings, options)
    training = Training(**settings["training"])
    optimizer = build_optimizer(network.train(), training)
    precision = options.precision or shown(training.precision, batch.features.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(batch, precision):
            loss = network.loss(batch)
        loss.backward()
        optimizer.step()
        if hasattr(network, "after_step"):
            network.after_step(0, 1)

    return _described(step, batch, options, precision)


def _embed(settings: dict, options: argparse.Namespace) -> str:
    """Return a line about embedding."""
    network, batch = _prepared(settings, options)
    network.eval()
    precision = options.precision or EXACT

    def embed() -> None:
        with torch.inference_mode(), _autocast(batch, precision):
            network.embed(batch)

    return _described(embed, batch, options, precision)


def _prepared(settings: dict, options: argparse.Namespace) -> tuple[torch.nn.Module, Batch]:
    """Return a network and a batch of noise, both on the device."""
    torch.set_num_threads(options.threads)
    device = choose_device(options.device, gpus=1)
    network = MODELS[settings["kind"]](**arguments("models", settings))
    if hasattr(network, "grow"):
        network.grow(CLASSES)
    frontend = FRONTENDS[settings["frontend"]["kind"]](**arguments("frontends", settings["frontend"]))
    clips = (options.batch,)
    features = torch.randn(*clips, *frontend.shape(SAMPLES))
    frames = torch.full(clips, frontend.frames(SAMPLES))
    batch = Batch(features, frames, torch.zeros(clips, dtype=torch.bool), torch.arange(*clips) % 100)
    return network.to(device), batch.to(device)


def _autocast(batch: Batch, precision: str) -> torch.autocast:
    return torch.autocast(batch.features.device.type, torch.bfloat16, enabled=precision == "bf16")


def _described(work: Callable[[], object], batch: Batch, options: argparse.Namespace, precision: str) -> str:
    """Run `work` on a batch and return a line with its speed, its share of the peak rate, and its memory."""
    device = batch.features.device
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # counts all operations
        work()
    with computing(precision, device):
        work()
        wall, cpu = timed(lambda: [work() for _ in range(options.steps)])
        peak = matrix_peak(device, DTYPES[precision])
    size, gpu = peaks()
    clips = options.batch * options.steps
    operations = counter.get_total_flops() / options.batch  # per clip
    rate = clips * operations / busy(device, wall, cpu)
    return (
        f"{clips / wall:10.2f} clips/s  ({cpu / clips:.2f} CPU s per clip)  {precision}, "
        f"{operations / 1e9:.3g} GFLOP per clip, {rate / 1e9:.0f} GFLOP/s: {rate / peak:.0%} of {peak / 1e9:.0f}  "
        f"{memory(size, gpu)}"
    )


if __name__ == "__main__":
    main()
