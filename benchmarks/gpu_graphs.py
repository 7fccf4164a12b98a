"""The checks of `gpu_check.py` of what could make steps faster: a CUDA graph of the whole step, and compilation."""

from collections.abc import Callable
from typing import Any

import torch
from gpu_recipes import Case, case
from gpu_speed import TIMED, WARM_UP, clock, training_step
from torch import Tensor

from asdlib.training.arithmetic import computing
from asdlib.training.optimisation import build_optimizer

GRAPHED = ("dense_ae", "conditional_dense_ae", "acae", "dual_branch_cnn", "conv_tasnet")
COMPILED = ("dismae_base", "dismae_tiny")
GRAPH_COLUMNS = ("eager ms", "graph ms", "losses apart", "why not", "row s")
COMPILE_COLUMNS = ("eager ms", "compiled ms", "first step s", "row s")


def graphed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the time of a step, and that of its replay as a CUDA graph; a CPU has none.

    A network whose step cannot be captured is no fault: it waits for the device, or draws numbers on the CPU.
    """
    place = torch.device(device)
    made = case(registry, name, small, clips=112)
    made.network.to(place)
    row: dict[str, Any] = {"faults": []}
    with computing(made.training.precision, place):
        state = {key: value.clone() for key, value in made.network.state_dict().items()}
        eager = _repeated(made, place)
        for _ in range(WARM_UP):
            expected = eager()
        row["eager ms"] = 1000 * clock(place, lambda: [eager() for _ in range(TIMED)])[0] / TIMED
        if place.type == "cpu":
            return row
        made.network.load_state_dict(state)
        try:
            replay, loss = _captured(made, place)
        except Exception as error:
            return row | {"why not": " ".join(str(error).split())[:100]}
        row["losses apart"] = float((loss - expected).abs() / expected.abs())
        row["graph ms"] = 1000 * clock(place, lambda: [replay() for _ in range(TIMED)])[0] / TIMED
        if not torch.isfinite(loss):
            row["faults"].append("the loss of the graph is not finite")
    return row


def compiled(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the time of a step of a recipe as it is and with `compile: true`, which has no effect on the CPU."""
    place = torch.device(device)
    row: dict[str, Any] = {"faults": []}
    for column, on in (("eager ms", False), ("compiled ms", True)):
        made = case(registry, name, small, clips=112 if small else 504, compile=on)
        made.network.to(place)
        with computing(made.training.precision, place):
            step = training_step(made, place)
            row["first step s"] = clock(place, lambda: step(0))[0]  # noqa: B023 (called at once)
            for number in range(WARM_UP):
                step(number)
            row[column] = 1000 * clock(place, lambda: [step(number) for number in range(TIMED)])[0] / TIMED  # noqa: B023
    return row


def _repeated(made: Case, place: torch.device, capturable: bool = False) -> Callable[[], Tensor]:
    """Return a function that trains on the same batch again and returns the loss before the step."""
    network = made.network.train()
    optimizer = build_optimizer(network, made.training)
    for group in optimizer.param_groups:
        group["capturable"] = capturable
    batch = made.batches(1, place)[0]

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(place.type, torch.bfloat16, enabled=made.training.precision == "bf16"):
            loss = network.loss(batch)
        loss.backward()
        if made.training.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), made.training.clip_norm)
        optimizer.step()
        return loss.detach()

    return step


def _captured(made: Case, place: torch.device) -> tuple[Callable[[], None], Tensor]:
    """Return the replay of a captured step, and the loss of the step that comes after WARM_UP - 1 others."""
    step = _repeated(made, place, capturable=True)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # PyTorch wants a few steps elsewhere before it captures one
        for _ in range(WARM_UP - 1):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    graph.replay()
    return graph.replay, loss.clone()
