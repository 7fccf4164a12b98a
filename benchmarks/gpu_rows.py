"""The checks of `gpu_check.py` that concern one recipe: its results on the GPU against the CPU, and its speed."""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from gpu_recipes import Case, case
from own_process import matrix_peak
from shared_draws import SharedDraws
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from asdlib.training.optimisation import build_optimizer
from asdlib.training.trainer import Trainer

PRECISIONS = ("float32", "tf32", "bf16")
# The largest relative errors of the loss, the whole gradient and the embeddings.
LIMITS = {"float32": (1e-4, 1e-2, 1e-3), "tf32": (1e-2, 0.1, 2e-2), "bf16": (5e-2, 0.5, 0.1)}
LIGHT = 2_000_000  # parameters of networks that are compared on whole batches
WARM_UP, TIMED = 3, 10  # micro-batches
CLIPS = 32  # embedded at once; eight are separated one by one


def compared(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the relative errors of a recipe on the device, in each precision, against float32 on the CPU."""
    made = case(registry, name, small, clips=112, **_few_examples(name, small))
    light = small or sum(p.numel() for p in made.network.parameters()) < LIGHT
    size = made.training.batch_size if light else min(4, made.training.batch_size)
    expected = _results(made, torch.device("cpu"), "float32", size)
    row: dict[str, Any] = {"faults": []}
    for precision in PRECISIONS:
        found = _results(made, torch.device(device), precision, size)
        errors = [_relative(a, b) for a, b in zip(found, expected, strict=True)]
        row[precision] = " / ".join(f"{error:.0e}" for error in errors)
        for what, error, limit in zip(("loss", "gradient", "embedding"), errors, LIMITS[precision], strict=True):
            # Recipes that train in float32 are shown in bf16, but need not support it.
            used = precision != "bf16" or made.training.precision == "bf16"
            if used and not error <= limit:
                row["faults"].append(f"{what} in {precision}: {error:.1e} > {limit:.0e}")
    return row


def timed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the speed, memory and synchronisations of training micro-batches of the recipe's size, and of `embed`."""
    place = torch.device(device)
    made = case(registry, name, small, clips=112 if small else 504)
    made.network.to(place)
    return {
        "faults": [],
        **_computing(made, place),
        "fed ms": 1000 * _fed(made, place),
        "embed ms a clip": 1000 * _embedding(made, place),
    }


def _computing(made: Case, place: torch.device) -> dict[str, Any]:
    """Return the figures of a step whose batch is on the device already."""
    training = made.training
    step = _step(made, place)
    _reset_peak(place)
    for number in range(WARM_UP):
        step(number)
    wall, _ = _clock(place, lambda: [step(number) for number in range(TIMED)])
    _, host = _clock(place, lambda: step(0))  # of one step, because a full queue would stop the host
    memory = _peak(place)
    waits = _synchronisations(place, lambda: step(0))
    few = min(2, training.batch_size)
    operations = _operations(lambda: made.network.loss(made.batches(1, place, few)[0]).backward()) / few
    peak = matrix_peak(place, torch.bfloat16 if training.precision == "bf16" else torch.float32)
    return {
        "ms": 1000 * wall / TIMED,
        "host ms": 1000 * host,
        "of peak": f"{operations * training.batch_size * TIMED / wall / peak:.0%}",
        "GiB": memory,
        "examples/s": training.batch_size * TIMED / wall,
        "waits": sum(waits.values()),
        "where": ", ".join(f"{where} × {count}" for where, count in waits.most_common()),
    }


def _step(made: Case, place: torch.device) -> Callable[[int], None]:
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


def _few_examples(name: str, small: bool) -> dict[str, Any]:
    """Return the settings that make one example of a recipe small enough for the CPU."""
    return {"round_clips": 2} if name.startswith("dismae") and not small else {}


def _results(made: Case, device: torch.device, precision: str, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss of one batch, its whole gradient, and the embeddings of two clips, as float64 on the CPU."""
    network = made.network.to(device)
    batch, clips = made.batches(1, device, size)[0], made.clips(2)
    with _precision(precision), torch.random.fork_rng(devices=[]), SharedDraws():
        torch.manual_seed(0)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
        network.train().zero_grad(set_to_none=True)
        state = {key: value.clone() for key, value in network.state_dict().items()}
        with autocast:
            loss = network.loss(batch)
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        network.load_state_dict(state)  # batch norms and other averages
        network.eval().zero_grad(set_to_none=True)
        # The step `separate` computes in float32, and the networks do not support bf16 outside training.
        separator = made.recipe.registry == "separators"
        with torch.inference_mode(), nullcontext() if separator else autocast:
            embedded = _embed(made, clips.to(device))
    return tuple(one.detach().double().cpu() for one in (loss, gradient, embedded))


def _embed(made: Case, clips: Any) -> Tensor:
    if made.recipe.registry == "separators":
        return made.network.separate(clips)
    if hasattr(made.network, "for_machine"):
        made.network.for_machine("machine_0")
    found = made.network.embed(clips)
    return torch.cat([found[name].float().flatten() for name in sorted(found)])


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Allow TF32 in matrix products and convolutions, or not."""
    matrices, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matrices, convolutions


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def _operations(work: Any) -> int:
    """Return the floating point operations of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # which shows all operations
        work()
    return counter.get_total_flops()


def _clock(device: torch.device, work: Any) -> tuple[float, float]:
    """Return the seconds until work is done, and the seconds until it has been submitted."""
    _wait(device)
    start = time.perf_counter()
    work()
    submitted = time.perf_counter() - start
    _wait(device)
    return time.perf_counter() - start, submitted


def _fed(made: Case, device: torch.device) -> float:
    """Return the seconds of a micro-batch in the real training loop, which brings every batch to the device."""
    accumulate = made.training.accumulate
    steps = max(1, TIMED // accumulate)
    short = replace(
        made.training, epochs=2, steps_per_epoch=steps, validation=0.0, schedule="constant", early_stop=None,
        warmup_epochs=0.0,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        trainer = Trainer(short, 0, device, Path(folder) / "training.ckpt", "check")
        if hasattr(made.network, "finish"):
            made.network.finish = lambda *_: {}
        _, epochs = trainer.train(made.network, _unwatched(made.examples), len(made.examples))
    return epochs[-1].seconds / (steps * accumulate)


def _unwatched(examples: Any) -> Any:
    """Return examples without their validation set."""
    found = copy(examples)
    vars(found).pop("validation", None)
    return found


def _embedding(made: Case, device: torch.device) -> float:
    """Return the seconds of embedding one clip of a batch, or of separating one clip."""
    made.network.eval()
    clips = made.clips(CLIPS)
    with torch.inference_mode():
        if made.recipe.registry == "separators":
            waveforms = clips[:8].to(device)
            work = lambda: [made.network.separate(waveforms[row : row + 1]) for row in range(8)]  # noqa: E731
            work()
            return _clock(device, work)[0] / 8
        batch = clips.to(device)
        _embed(made, batch)
        return _clock(device, lambda: _embed(made, batch))[0] / CLIPS


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


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
