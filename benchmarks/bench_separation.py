"""Benchmark of a separator: its training step, and the speed and memory of `separate` for few and for many clips.

    python benchmarks/bench_separation.py [--separator conv_tasnet] [--steps 2] [--batch 4] [--clips 2 40] [--threads 1]

Sizes, mixtures and optimiser are those of config/systems; `--override` names a YAML file with a block `override` that
changes them. A GPU is used if there is one, unless `--device cpu` is given; `--device cuda` fails without one. The step
has the recipe's precision there. Every figure comes from a process of its own, so that its peak memory is its own. The
first step is not measured, as a warm-up.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from full_size import resolved
from measure import machine
from own_process import alone, memory, peaks, processor, timed

from asdlib.data.tables import CLIP_FIELDS, ROWS, clip_rows, writing
from asdlib.runtime.devices import choose_device
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.separator import AFTER, BEFORE
from asdlib.separation.settings import Pairs
from asdlib.steps.separate import separate
from asdlib.training.arithmetic import computing
from asdlib.training.build import build_separator
from asdlib.training.optimisation import build_optimizer
from asdlib.training.settings import Training
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe

RATE, SECONDS = 16000, 10


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--separator", default="conv_tasnet", help="a recipe")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--clips", type=int, nargs="+", default=[2, 40])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--override", type=Path)
    options = parser.parse_args()
    settings = resolved("separators", options.separator, options.override)
    where = processor(options.device, options.threads)
    print(f"{machine()}, torch {torch.__version__}, {where}; {settings}")
    mixtures = f"{options.batch} mixtures of {settings['pairs']['segment']} s"
    drawn, wall, cpu, *found = alone(_train, settings, options)
    print(f"{'drawing mixtures':40}{1 / drawn:10.1f} mixtures/s")
    print(f"{f'training step, {mixtures}':40}{_seconds(wall, cpu)}  {memory(*found)}")
    print(f"{'':40}{options.batch / wall:10.2f} mixtures/s")
    for clips in options.clips:
        wall, cpu, *found = alone(_separate, settings, options, clips)
        print(f"{f'separating {clips} clips of {SECONDS} s':40}{_seconds(wall, cpu)}  {memory(*found)}")
        print(f"{'':40}{wall / clips / SECONDS:10.3f} of real time")


def _train(settings: dict, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds to draw one mixture, those of one step (wall and processor), and the peaks of memory."""
    torch.set_num_threads(options.threads)
    pairs = replace(Pairs(**settings["pairs"]), per_epoch=options.batch, validation_mixtures=1)
    recordings = [_noise(number) for number in range(40)]
    examples = MixturePairs(recordings[:20], recordings[20:], pairs, RATE, 0)
    device = choose_device(options.device, gpus=1)
    network = build_separator(Recipe("separators", settings)).to(device)
    training = Training(**settings["training"])
    optimizer = build_optimizer(network, training)
    bf16 = training.precision == "bf16" and device.type == "cuda"

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        batch = examples.batch(torch.arange(options.batch)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = network.loss(batch)
        loss.backward()
        optimizer.step()

    drawn, _ = timed(lambda: examples.batch(torch.arange(options.batch)))
    with computing(training.precision, device):
        step()
        wall, cpu = timed(lambda: [step() for _ in range(options.steps)])
    return drawn / options.batch, wall / options.steps, cpu / options.steps, *peaks()


def _separate(settings: dict, options: argparse.Namespace, clips: int) -> tuple[float, ...]:
    """Return the seconds of the step without the start of its process (wall and processor), and the peaks of memory."""
    with tempfile.TemporaryDirectory() as folder:
        audio, weights, out = (Path(folder) / name for name in ("raw.parquet", "model.safetensors", "out.parquet"))
        with writing(audio, {"sample_rate": RATE}, audio=("int16", (RATE * SECONDS,))) as table:
            for start in range(0, clips, ROWS):  # the row groups of `prepare`, which `separate` reads
                numbers = range(start, min(start + ROWS, clips))
                table.write(clip_rows([_row(number) for number in numbers]), audio=np.stack(list(map(_noise, numbers))))
        network = build_separator(Recipe("separators", settings))
        unknown = {
            BEFORE: torch.zeros(1),
            AFTER: torch.zeros(1),
        }  # not worse: the clips are separated
        checkpoints.save(weights, Checkpoint(settings, network.state_dict(), unknown))
        return *timed(lambda: separate(audio, weights, out, options.device, 1, options.threads)), *peaks()


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, RATE * SECONDS).astype(np.int16)


def _row(number: int) -> dict:
    known = {"clip": f"{number}", "section": "00", "kind": "train", "attributes": {}, "samples": RATE * SECONDS}
    return dict.fromkeys(CLIP_FIELDS.names) | known


def _seconds(wall: float, cpu: float) -> str:
    return f"{wall:10.2f} s ({cpu:.2f} CPU s)"


if __name__ == "__main__":
    main()
