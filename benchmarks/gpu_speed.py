"""The checks of `gpu_check.py` that concern the speed of one recipe: steps, memory, waits, graphs and compilation."""

import gc
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import yaml
from full_size import CONFIG
from gpu_loop import TIMED, fed, in_the_loop
from gpu_recipes import Case, case, embedded
from own_process import matrix_peak
from torch.autograd import DeviceType
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from asdlib.errors import AsdError
from asdlib.training.arithmetic import EXACT, computing
from asdlib.training.cuda_graphs import FEWEST
from asdlib.training.optimisation import build_optimizer

COLUMNS = (
    "precision", "ms", "host ms", "busy ms", "of peak", "GiB", "blocks", "examples/s", "waits", "where", "fed ms",
    "idle", "embed ms a clip", "row s",
)  # fmt: skip
WARM_UP, PROFILED = 3, 5  # micro-batches
FULL = 10.0  # seconds of a clip at full size
CLIPS = 32  # embedded at once, or separated one by one


def timed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the speed, memory and synchronisations of training micro-batches of the recipe's size, and of `embed`."""
    place = torch.device(device)
    _empty(place)
    made = case(registry, name, small, clips=504 if name.startswith("dismae") and not small else 112)  # for its rounds
    made.network.to(place)
    with computing(made.training.precision, place), job_threads():
        row = {"faults": [], "precision": made.training.precision, **_computing(made, place, small)}
        try:
            row["fed ms"] = 1000 * fed(made, place, row["ms"] / 1000)
            if made.training.cuda_graph and place.type == "cuda":  # kernels of a graph follow each other more closely
                row["busy ms"] = 1000 * _busy_in_the_loop(made, place)
            row["idle"] = _share(1 - row["busy ms"] / row["fed ms"])
        except AsdError as error:  # such as a network that cannot be recorded
            row["faults"].append(str(error))
    with computing(EXACT, place):
        row["embed ms a clip"] = 1000 * _embedding(made, place, 2 if small else CLIPS)
    return row


@contextmanager
def job_threads() -> Iterator[None]:
    """Let PyTorch use as many threads as in a job."""
    before = torch.get_num_threads()
    torch.set_num_threads(yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))["threads"])
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _share(idle: float) -> str:
    """Return the idle share of time as text: nothing if it is below 0 by more than measurements differ."""
    return f"{max(0.0, idle):.0%}" if idle >= -0.05 else ""


def _computing(made: Case, place: torch.device, small: bool) -> dict[str, Any]:
    """Return the figures of a step whose batch is on the device already."""
    training = made.training
    step = training_step(made, place)
    for number in range(WARM_UP):
        step(number)
    before = _blocks(place)
    wall, _ = clock(place, lambda: [step(number) for number in range(TIMED)])
    blocks = _blocks(place) - before
    _, host = clock(place, lambda: step(0))  # of one step, because a full queue would stop the host
    memory = _peak(place)
    busy = wall / TIMED
    if place.type == "cuda":  # of several steps, because networks draw masks of various sizes
        busy = _busy(place, lambda: [step(number) for number in range(PROFILED)]) / PROFILED
    waits = _synchronisations(place, lambda: step(0))
    operations = operations_of_an_example(made, place)
    peak = _matrix_peak(device=place.type, precision=training.precision, side=256 if small else None)
    return {
        "ms": 1000 * wall / TIMED,
        "host ms": 1000 * host,
        "busy ms": 1000 * busy,
        "of peak": f"{operations * training.batch_size * TIMED / wall / peak:.0%}",
        "GiB": memory,
        "blocks": blocks,
        "examples/s": training.batch_size * TIMED / wall,
        "waits": sum(waits.values()),
        "where": ", ".join(f"{where} × {count}" for where, count in waits.most_common()),
    }


@cache
def _matrix_peak(device: str, precision: str, side: int | None) -> float:
    return matrix_peak(torch.device(device), torch.bfloat16 if precision == "bf16" else torch.float32, side)


def training_step(made: Case, place: torch.device) -> Callable[[int], None]:
    """Return a function that trains on one of three batches; its argument is the number of the step."""
    network, training = made.network.train(), made.training
    optimizer = build_optimizer(network, training)
    batches = made.batches(3, place)

    def step(number: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(place.type, torch.bfloat16, enabled=training.precision == "bf16"):
            loss = network.loss(batches[number % len(batches)])
        loss.backward()
        if training.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        optimizer.step()
        if hasattr(network, "after_step"):
            network.after_step(number, 1000)

    return step


def operations_of_an_example(made: Case, place: torch.device) -> float:
    """Return the floating point operations of the loss and the gradient of an example, counted on few clips.

    An example of a recipe with `round_clips` is a whole round: it is counted with two clips of each domain.
    """
    name, clips = made.recipe.name, made.recipe.settings.get("round_clips")
    counted = case(made.recipe.registry, name, made.seconds < FULL, clips=112, round_clips=2) if clips else made
    network = counted.network.to(place).train()
    few = min(2, counted.training.batch_size)
    found = _operations(lambda: network.loss(counted.batches(1, place, few)[0]).backward()) / few
    return found * (clips or 1) / (2 if clips else 1)


def _operations(work: Any) -> int:
    """Return the floating point operations of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # which shows all operations
        work()
    return counter.get_total_flops()


def clock(device: torch.device, work: Any) -> tuple[float, float]:
    """Return the seconds until work is done, and the seconds until it has been submitted."""
    _wait(device)
    start = time.perf_counter()
    work()
    submitted = time.perf_counter() - start
    _wait(device)
    return time.perf_counter() - start, submitted


def _busy(device: torch.device, work: Callable[[], Any]) -> float:
    """Return the seconds in which the GPU computes or copies during work, without the time between its kernels."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        work()
        _wait(device)
    events = [one for one in profiler.profiler.kineto_results.events() if one.device_type() == DeviceType.CUDA]
    spans = sorted((one.start_ns(), one.end_ns()) for one in events)
    busy, until = 0, 0
    for start, end in spans:
        busy += max(0, end - max(start, until))
        until = max(until, end)
    return busy / 1e9 if spans else math.nan  # where CUDA's profiler cannot be used


def _busy_in_the_loop(made: Case, device: torch.device) -> float:
    """Return the seconds in which the device computes or copies for a replayed step, by epochs of unequal length."""
    short, long = (_busy(device, partial(in_the_loop, made, device, FEWEST + more)) for more in (0, PROFILED))
    return (long - short) / PROFILED


def _embedding(made: Case, device: torch.device, count: int) -> float:
    """Return the seconds of embedding one clip of a batch, or of separating one clip, as the steps do."""
    made.network.eval()
    clips = made.clips(count).to(device)
    parts = clips.split(1) if made.recipe.registry == "separators" else [clips]
    with torch.inference_mode():
        embedded(made, parts[0])
        return clock(device, lambda: [embedded(made, part) for part in parts])[0] / count


def _synchronisations(device: torch.device, work: Any) -> Counter:
    """Return where, and how often, work waits for the device."""
    if device.type != "cuda":
        return Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        work()
        torch.cuda.set_sync_debug_mode("default")
    here = "cuda/__init__.py"  # the call above itself
    places = [one for one in caught if "synchron" in str(one.message) and not one.filename.endswith(here)]
    return Counter(f"{'/'.join(Path(one.filename).parts[-2:])}:{one.lineno}" for one in places)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _empty(device: torch.device) -> None:
    """Free what the row before has left, and count the peak of memory anew."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _blocks(device: torch.device) -> int:
    """Return how many blocks of memory PyTorch has asked the driver for: tensors of varying sizes need more."""
    return torch.cuda.memory_stats()["num_device_alloc"] if device.type == "cuda" else 0


def _peak(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
