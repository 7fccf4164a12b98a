"""Benchmark of the training of Audio DisMAE: steps per second and peak memory of both sizes.

    python benchmarks/bench_dismae.py [--device auto] [--clips 32] [--steps 10] [--threads 2] [--compile]

A step is a round of three domains with `--clips` clips of 10 s each, in bf16 on CUDA and in float32 on the CPU, from
the stored features to the updated weights. The first two steps are not measured, as a warm-up. The domain head, which
is trained only in a few epochs, is left out. Each size runs in a process of its own. `--compile` is for CUDA.
"""

import argparse
import multiprocessing
import resource
import time
from dataclasses import dataclass

import pyarrow as pa
import torch
from measure import machine

from asdlib.examples.clips import Clips
from asdlib.models.dismae import Dismae
from asdlib.runtime.devices import choose_device
from asdlib.training.optimisation import build_optimizer
from asdlib.training.settings import Training

SIZES = {"base": {}, "tiny": {"width": 192, "heads": 3, "decoder_depth": 1, "decoder_heads": 8}}
SETTINGS = Training(epochs=1, batch_size=1, learning_rate=1e-4, optimizer="adamw", weight_decay=0.05, clip_norm=1.0)
DOMAINS = 3
WARM_UP = 2  # steps


@dataclass(frozen=True)
class Cost:
    """The cost of one step: wall time and processor time (s), and the peak memory of the process (MB)."""

    wall: float
    cpu: float
    peak_mb: float


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    clips = DOMAINS * options.clips
    print(f"{machine()}, torch {torch.__version__}, {options.threads} threads, {clips} clips per step")
    print(f"{'size':8}{'steps/s':>10}{'clips/s':>10}{'CPU s a clip':>14}{'peak MB':>10}")
    for size in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # memory is counted per process
            cost = pool.apply(measured, (size, options))
        rates = f"{1 / cost.wall:10.3f}{clips / cost.wall:10.2f}{cost.cpu / clips:14.3f}"
        print(f"{size:8}{rates}{cost.peak_mb:10.0f}", flush=True)


def measured(size: str, options: argparse.Namespace) -> Cost:
    """Return the cost of a training step of one size."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = choose_device(options.device, 1)
    clips = noise(DOMAINS * options.clips)
    model = Dismae(**SIZES[size], round_clips=options.clips, compile=options.compile)
    model.grow(model.survey(clips))
    examples = model.examples(clips)
    model.to(device).train()
    optimizer = build_optimizer(model, SETTINGS)
    for _ in range(WARM_UP):
        _step(model, examples, optimizer, device)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(options.steps):
        _step(model, examples, optimizer, device)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall / options.steps, cpu / options.steps, _peak(device))


def noise(count: int) -> Clips:
    """Return log-mel clips of 10 s of noise, in dB, the same number of each machine."""
    table = pa.table(
        {
            "machine": [f"machine_{number % DOMAINS}" for number in range(count)],
            "domain": ["source"] * count,
            "frames": pa.array([1001] * count, pa.int32()),
        }
    )
    return Clips(table, (torch.randn(count, 1001, 128) * 6 - 40).half())


def _step(model: Dismae, examples, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    batch = examples.batch(torch.tensor([0])).to(device)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        loss = model.loss(batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS.clip_norm)
    optimizer.step()
    loss.item()  # waits for the device


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
