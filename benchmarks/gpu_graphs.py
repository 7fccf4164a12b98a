"""The checks of `gpu_check.py` of what can make steps faster: CUDA graphs of gradients, and compilation."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import Mock, patch

import torch
from gpu_recipes import case, full_recipe
from gpu_speed import TIMED, WARM_UP, clock, in_the_loop, training_step

from asdlib.errors import AsdError
from asdlib.training.arithmetic import computing
from asdlib.training.cuda_graphs import Replay

GRAPHED = (
    "dense_ae", "conditional_dense_ae", "conv_tasnet", "sepreformer_small", "tfgridnet", "acae", "dual_branch_cnn",
)  # fmt: skip
COMPILED = ("dismae_base", "dismae_tiny")
STEPS = 30  # of an epoch
LIMIT = 0.05  # of losses: sums in varying order, amplified by 60 steps
GRAPH_COLUMNS = ("eager ms", "graph ms", "losses", "why not", "row s")
COMPILE_COLUMNS = ("eager ms", "compiled ms", "first step s", "row s")


def graphed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the time of a step in the training loop as it is and with `cuda_graph: true`; no effect on the CPU.

    The time includes that of recording the graph once in `STEPS` steps. `losses` are those of two usual trainings and
    of the one with graphs. A network that cannot be recorded is no fault, unless its recipe asks for it.
    """
    place = torch.device(device)
    row: dict[str, Any] = {"faults": []}
    losses = []
    asked = full_recipe(registry, name).training.get("cuda_graph", False)
    for column, on in (("eager ms", False), ("eager ms", False), ("graph ms", True)):
        made = case(registry, name, small, clips=112, training={"cuda_graph": on})
        with computing(made.training.precision, place), _replays() as replayed:
            try:
                epochs = in_the_loop(made, place, STEPS)
            except AsdError as error:
                return {"faults": [str(error)]} if asked else row | {"why not": str(error)}
        if asked and on and place.type == "cuda" and not replayed.called:
            row["faults"].append("no batch was replayed")
        row[column] = 1000 * epochs[-1].seconds / STEPS
        losses.append(epochs[-1].loss)
    row["losses"] = " ".join(f"{loss:.6g}" for loss in losses)
    if not abs(losses[-1] - losses[0]) <= LIMIT * abs(losses[0]):
        row["faults"].append("the losses differ")
    return row


def _replays() -> AbstractContextManager[Mock]:
    """Return a context that gives what is called for every batch that is replayed."""
    return patch.object(Replay, "terms", autospec=True, side_effect=Replay.terms)


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
