"""A separator at full size: its training step, and the `separate` stage's speed and memory for few and many clips.

    python benchmarks/bench_separation.py [--separator conv_tasnet] [--steps 2] [--batch 4] [--clips 2 8] [--threads 1]

Computes on a GPU if there is one (`--device cpu` does not). Every figure comes from a process of its own, so that its
peak is its own; the first epoch, in which libraries warm up, does not count.
"""

import argparse
import resource
import tempfile
import time
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
from asdlib.separation_settings import Pairs
from asdlib.steps.separate import separate
from asdlib.training import Trainer
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
    drawn, stepped, *peaks = _alone(_train, settings, options)
    print(f"{'drawing mixtures of 4 s':40}{1 / drawn:10.1f} mixtures/s")
    print(f"{f'training step, {options.batch} mixtures of 4 s':40}{stepped:10.2f} s")
    print(f"{'':40}{options.batch / stepped:10.2f} mixtures/s  {_memory(peaks)}")
    for clips in options.clips:
        seconds, *peaks = _alone(_separate, settings, options, clips)
        factor = seconds / (clips * SECONDS)
        print(f"{f'separating {clips} clips of {SECONDS} s':40}{factor:10.3f} of real time  {_memory(peaks)}")


def _alone(work, *arguments) -> tuple[float, ...]:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _train(settings: dict, options: argparse.Namespace) -> tuple[float, ...]:
    """Return the seconds of drawing one mixture and of one step, and the peaks of memory."""
    torch.set_num_threads(options.threads)
    pairs = Pairs(per_epoch=options.steps * options.batch, validation_mixtures=1)
    recordings = [_noise(number, RATE * SECONDS) for number in range(40)]
    examples = MixturePairs(recordings[:20], recordings[20:], pairs, RATE, 0)
    start = time.perf_counter()
    examples.batch(torch.arange(len(examples)))
    drawn = (time.perf_counter() - start) / len(examples)
    training = Training(epochs=2, batch_size=options.batch, learning_rate=1e-3, clip_norm=5.0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(training, 0, choose_device(options.device, 1), Path(folder) / "training.ckpt", "bench")
        _, epochs = trainer.train(build_separator(settings), examples, len(examples))
    return drawn, epochs[-1].seconds / options.steps, *_peaks()


def _separate(settings: dict, options: argparse.Namespace, clips: int) -> tuple[float, ...]:
    """Return the seconds of the stage without its start, and the peaks of memory."""
    with tempfile.TemporaryDirectory() as folder:
        audio, weights, out = (Path(folder) / name for name in ("raw.parquet", "model.safetensors", "out.parquet"))
        with writing(audio, {"sample_rate": RATE}, audio=("int16", (RATE * SECONDS,))) as table:
            for number in range(clips):
                table.write(clip_rows([_row(number)]), audio=_noise(number, RATE * SECONDS)[None])
        checkpoints.save(weights, Checkpoint(settings, build_separator(settings).state_dict()))
        start = time.perf_counter()
        separate(audio, weights, out, options.device, 1, options.threads)
        return time.perf_counter() - start, *_peaks()


def _noise(seed: int, samples: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, samples).astype(np.int16)


def _row(number: int) -> dict:
    known = {"clip": f"{number}", "section": "00", "kind": "train", "attributes": {}}
    return dict.fromkeys(CLIP_FIELDS.names) | known


def _peaks() -> tuple[float, float]:
    """Return the process's largest size and its GPU's, MB."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gpu


def _memory(peaks: list[float]) -> str:
    return f"peak {peaks[0]:.0f} MB" + (f", GPU {peaks[1]:.0f} MB" if peaks[1] else "")


if __name__ == "__main__":
    main()
