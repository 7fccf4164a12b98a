"""BEATs base and AudioMAE base: clips embedded a second, and clips learned from a second, whole and with adapters.

    python benchmarks/bench_ssl.py [--models beats audiomae] [--batch 4] [--steps 2] [--threads 1] [--precision float32]

Clips of 10 s, features given; random weights, which cost as much as learned ones. Computes on a GPU if there is one
(`--device cpu` does not). Every figure comes from a process of its own, so that its peak is its own; the first step, in
which libraries warm up, does not count.
"""

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from measure import machine

from asdlib.blocks.clips import Batch
from asdlib.devices import choose_device
from asdlib.models import MODELS
from asdlib.optimisation import build_optimizer
from asdlib.training_settings import Training

FRAMES, BANDS = 998, 128  # 10 s
CLASSES = {"classes": [f"class {number}" for number in range(100)]}
# What learns beside the head: every weight, or adapters of the report's rank on a frozen encoder.
WAYS = {"all weights": {"frozen": False}, "adapters of rank 8": {"frozen": True, "lora_rank": 8}}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", choices=["beats", "audiomae"], nargs="+", default=["beats", "audiomae"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    options = parser.parse_args()
    device = choose_device(options.device, gpus=1)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    print(f"{machine()}, torch {torch.__version__}, {name}, {options.precision}, {options.batch} clips a batch")
    for model in options.models:
        _show(f"{model}: embedding", options, *_alone(_embed, model, options))
        for way, settings in WAYS.items():
            _show(f"{model}: learning, {way}", options, *_alone(_learn, model, settings, options))


def _alone(work: Callable, *arguments) -> tuple[float, ...]:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _embed(model: str, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds of embedding (wall and processor), and the peaks of memory."""
    network, batch, _ = _prepared(model, {"frozen": True}, options)
    return _measured(lambda: network.eval().embed(batch), options)


def _learn(model: str, settings: dict, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds of training steps (wall and processor), and the peaks of memory."""
    network, batch, optimizer = _prepared(model, settings, options)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=options.precision == "bf16"):
            loss = network.loss(batch)
        loss.backward()
        optimizer.step()

    return _measured(step, options)


def _prepared(model: str, settings: dict, options: argparse.Namespace) -> tuple:
    """Return a network of base size, a batch of noise on its device, and the optimiser of what learns."""
    torch.set_num_threads(options.threads)
    device = choose_device(options.device, gpus=1)
    network = MODELS[f"{model}_classifier"](**settings)
    network.grow(CLASSES)
    clips = (options.batch,)
    features = torch.randn(*clips, FRAMES, BANDS)
    batch = Batch(features, torch.full(clips, FRAMES), torch.zeros(clips, dtype=torch.bool), torch.arange(*clips) % 100)
    training = Training(epochs=1, batch_size=options.batch, learning_rate=1e-5, optimizer="adamw")
    return network.to(device), batch.to(device), build_optimizer(network, training)


def _measured(work: Callable[[], object], options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds of the steps after the first, wall and processor, and the peaks of memory."""
    work()
    wall, cpu = _timed(lambda: [work() for _ in range(options.steps)])
    return wall, cpu, *_peaks()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of wall and of processor time that some work takes, the GPU's part included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - cpu


def _peaks() -> tuple[float, float]:
    """Return the process's largest size and its GPU's, MB."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gpu


def _show(what: str, options: argparse.Namespace, wall: float, cpu: float, size: float, gpu: float) -> None:
    clips = options.batch * options.steps
    memory = f"peak {size:.0f} MB" + (f", GPU {gpu:.0f} MB" if gpu else "")
    print(f"{what:40}{clips / wall:10.2f} clips/s  ({cpu / clips:.2f} CPU s a clip)  {memory}")


if __name__ == "__main__":
    main()
