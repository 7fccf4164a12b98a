"""The checks of `gpu_check.py` of what can make steps faster: CUDA graphs of gradients, and compilation."""

from typing import Any

import torch
from gpu_recipes import case
from gpu_speed import TIMED, WARM_UP, clock, in_the_loop, training_step

from asdlib.errors import AsdError
from asdlib.training.arithmetic import computing

GRAPHED = ("dense_ae", "conditional_dense_ae", "conv_tasnet", "sepreformer_small", "tfgridnet", "acae")
COMPILED = ("dismae_base", "dismae_tiny")
STEPS = 30  # of an epoch
LIMIT = 0.05  # of losses: sums in varying order, amplified by 60 steps
GRAPH_COLUMNS = ("eager ms", "graph ms", "losses", "why not", "row s")
COMPILE_COLUMNS = ("eager ms", "compiled ms", "first step s", "row s")


def graphed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the time of a step in the training loop as it is and with `cuda_graph: true`; no effect on the CPU.

    The time includes that of recording the graph once in `STEPS` steps.
    """
    place = torch.device(device)
    row: dict[str, Any] = {"faults": []}
    losses = []
    for column, on in (("eager ms", False), ("graph ms", True)):
        made = case(registry, name, small, clips=112, training={"cuda_graph": on})
        with computing(made.training.precision, place):
            try:
                epochs = in_the_loop(made, place, STEPS)
            except AsdError as error:
                return row | {"why not": str(error)}
        row[column] = 1000 * epochs[-1].seconds / STEPS
        losses.append(epochs[-1].loss)
    row["losses"] = " ".join(f"{loss:.6g}" for loss in losses)
    if not abs(losses[1] - losses[0]) <= LIMIT * abs(losses[0]):
        row["faults"].append("the losses differ")
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
