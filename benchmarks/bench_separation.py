"""A separator at full size: its training step, and the `separate` stage's speed and memory for few and many clips.

    python benchmarks/bench_separation.py [--separator conv_tasnet] [--steps 2] [--batch 4] [--clips 2 8] [--threads 1]

Computes on a GPU if there is one (`--device cpu` does not). Every figure comes from a process of its own, so that its
peak is its own; the first step, in which libraries warm up, does not count.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measure import machine

from asdlib import checkpoints
from asdlib.blocks.mixtures import MixturePairs
from asdlib.checkpoints import Checkpoint
from asdlib.data.tables import CLIP_FIELDS, clip_rows, writing
from asdlib.devices import choose_device
from asdlib.networks import build_separator
from asdlib.optimisation import build_optimizer
from asdlib.separation_settings import Pairs
from asdlib.steps.separate import separate
from asdlib.training_settings import Training

RATE, SECONDS = 16000, 10
# The sizes that are meant to be used; another separator needs a line here.
FULL_SIZE = {"conv_tasnet": {"kernel_size": 32, "stride": 16, "causal": True}}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--separator", choices=sorted(FULL_SIZE), default="conv_tasnet")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--clips", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    options = parser.parse_args()
    settings = {"kind": options.separator, **FULL_SIZE[options.separator], "seed": 0}
    device = choose_device(options.device, gpus=1)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    print(f"{machine()}, torch {torch.__version__}, {name}; {settings}")
    drawn, wall, cpu, *peaks = _alone(_train, settings, options)
    print(f"{'drawing mixtures of 4 s':40}{1 / drawn:10.1f} mixtures/s")
    print(f"{f'training step, {options.batch} mixtures of 4 s':40}{_seconds(wall, cpu)}  {_memory(peaks)}")
    print(f"{'':40}{options.batch / wall:10.2f} mixtures/s")
    for clips in options.clips:
        wall, cpu, *peaks = _alone(_separate, settings, options, clips)
        print(f"{f'separating {clips} clips of {SECONDS} s':40}{_seconds(wall, cpu)}  {_memory(peaks)}")
        print(f"{'':40}{wall / clips / SECONDS:10.3f} of real time")


def _alone(work, *arguments) -> tuple[float, ...]:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _train(settings: dict, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds of drawing one mixture, of one step (wall and processor), and the peaks of memory."""
    torch.set_num_threads(options.threads)
    pairs = Pairs(per_epoch=options.batch, validation_mixtures=1)
    recordings = [_noise(number, RATE * SECONDS) for number in range(40)]
    examples = MixturePairs(recordings[:20], recordings[20:], pairs, RATE, 0)
    device = choose_device(options.device, gpus=1)
    network = build_separator(settings).to(device)
    optimizer = build_optimizer(network, Training(epochs=1, batch_size=options.batch, learning_rate=1e-3))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        network.loss(examples.batch(torch.arange(options.batch)).to(device)).backward()
        optimizer.step()

    drawn, _ = _timed(lambda: examples.batch(torch.arange(options.batch)))
    step()
    wall, cpu = _timed(lambda: [step() for _ in range(options.steps)])
    return drawn / options.batch, wall / options.steps, cpu / options.steps, *_peaks()


def _separate(settings: dict, options: argparse.Namespace, clips: int) -> tuple[float, ...]:
    """Return the seconds of the stage without its start (wall and processor), and the peaks of memory."""
    with tempfile.TemporaryDirectory() as folder:
        audio, weights, out = (Path(folder) / name for name in ("raw.parquet", "model.safetensors", "out.parquet"))
        with writing(audio, {"sample_rate": RATE}, audio=("int16", (RATE * SECONDS,))) as table:
            for number in range(clips):
                table.write(clip_rows([_row(number)]), audio=_noise(number, RATE * SECONDS)[None])
        checkpoints.save(weights, Checkpoint(settings, build_separator(settings).state_dict()))
        return *_timed(lambda: separate(audio, weights, out, options.device, 1, options.threads)), *_peaks()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of wall and of processor time that some work takes, the GPU's part included."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - cpu


def _noise(seed: int, samples: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, samples).astype(np.int16)


def _row(number: int) -> dict:
    known = {"clip": f"{number}", "section": "00", "kind": "train", "attributes": {}}
    return dict.fromkeys(CLIP_FIELDS.names) | known


def _peaks() -> tuple[float, float]:
    """Return the process's largest size and its GPU's, MB."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gpu


def _seconds(wall: float, cpu: float) -> str:
    return f"{wall:10.2f} s ({cpu:.2f} CPU s)"


def _memory(peaks: list[float]) -> str:
    return f"peak {peaks[0]:.0f} MB" + (f", GPU {peaks[1]:.0f} MB" if peaks[1] else "")


if __name__ == "__main__":
    main()
