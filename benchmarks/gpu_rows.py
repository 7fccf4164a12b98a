"""The check of `gpu_check.py` that compares the results of a recipe on the GPU with those on the CPU."""

from contextlib import nullcontext
from typing import Any

import torch
from gpu_recipes import Case, case, embedded
from shared_draws import SeparateDropout, SharedDraws
from torch import Tensor

from asdlib.training.arithmetic import EXACT, computing

PRECISIONS = ("float32", "tf32", "bf16")
COLUMNS = (*PRECISIONS, "trains in")
# The largest relative errors of the loss, the whole gradient and the embeddings.
LIMITS = {"float32": (1e-4, 1e-2, 1e-3), "tf32": (1e-2, 0.1, 2e-2), "bf16": (5e-2, 0.5, 0.1)}


def compared(registry: str, name: str, device: str) -> dict[str, Any]:
    """Return the relative errors of a small network on the device, in each precision, against float32 on the CPU."""
    made = case(registry, name, small=True, clips=112)
    size = made.training.batch_size
    expected = _results(made, torch.device("cpu"), EXACT, size)
    row: dict[str, Any] = {"faults": [], "trains in": made.training.precision}
    for precision in PRECISIONS:
        used = precision in (EXACT, made.training.precision)
        try:
            found = _results(made, torch.device(device), precision, size)
        except RuntimeError as error:
            if used:
                raise
            row[precision] = f"not possible: {' '.join(str(error).split())[:60]}"
            continue
        errors = [_relative(a, b) for a, b in zip(found, expected, strict=True)]
        row[precision] = " / ".join(f"{error:.0e}" for error in errors)
        for what, error, limit in zip(("loss", "gradient", "embedding"), errors, LIMITS[precision], strict=True):
            # What the recipe does not use is shown, but need not work. Clips are always embedded in float32.
            counts = precision == EXACT or (used and what != "embedding")
            if counts and not error <= limit:
                row["faults"].append(f"{what} in {precision}: {error:.1e} > {limit:.0e}")
    return row


def _results(made: Case, device: torch.device, precision: str, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss of one batch, its whole gradient, and the embeddings of two clips, as float64 on the CPU."""
    network = made.network.to(device)
    batch, clips = made.batches(1, device, size)[0], made.clips(2)
    with computing(precision, device), torch.random.fork_rng(devices=[]), SharedDraws(), SeparateDropout():
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
            found = embedded(made, clips.to(device))
    return tuple(one.detach().double().cpu() for one in (loss, gradient, found))


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))
