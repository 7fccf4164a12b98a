"""Benchmark of the making of batches, on the CPU: how long a batch of every recipe takes, and what is sent.

    python benchmarks/bench_feed.py [RECIPE …] [--clips 112] [--repeats 20]

Batches have the full size and are cut from artificial clips in memory. The first time is that of the batch as it is
sent, the second includes the conversion of its features to float32, which the trainer leaves to the device. On a GPU,
a thread makes a batch while the previous one is computed with; `gpu_check.py` shows what is left of it in a step.
"""

import argparse
import time
from collections.abc import Callable

import torch
from gpu_recipes import case, recipes
from measure import machine

from asdlib.training.batches import shuffled


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--clips", type=int, default=112)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(), flush=True)
    print("| recipe | examples | ms | ms with float32 | MB sent | MB as float32 |\n|---|---|---|---|---|---|")
    for registry, name in recipes():
        if not options.recipes or name in options.recipes:
            print(f"| {name} | {row(registry, name, options.clips, options.repeats)} |", flush=True)


def row(registry: str, name: str, clips: int, repeats: int) -> str:
    """Return the cells of a recipe."""
    made = case(registry, name, small=False, clips=clips)
    size = made.training.batch_size
    pieces = shuffled(torch.arange(len(made.examples)), 0, 0, size * repeats).split(size)
    batch = made.examples.batch
    first = batch(pieces[0])
    tensors = [value for value in vars(first).values() if isinstance(value, torch.Tensor)]
    sent = sum(value.nbytes for value in tensors)
    features = getattr(first, "features", None)
    if features is None:  # mixtures are drawn in float32
        return f"{size} | {best(batch, pieces):.3g} | | {sent / 1e6:.1f} | {sent / 1e6:.1f}"
    converted = best(lambda piece: batch(piece).features.float(), pieces)
    larger = sent + features.numel() * 4 - features.nbytes
    return f"{size} | {best(batch, pieces):.3g} | {converted:.3g} | {sent / 1e6:.1f} | {larger / 1e6:.1f}"


def best(work: Callable, pieces: list[torch.Tensor]) -> float:
    """Return the shortest time of a piece in ms; the machine may be shared with others."""
    times = []
    for piece in pieces:
        start = time.perf_counter()
        work(piece)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
