"""The checks of `gpu_check.py` of what can make steps faster: CUDA graphs of gradients, and compilation."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import Mock, patch

import torch
from gpu_loop import TIMED, in_the_loop
from gpu_recipes import case, full_recipe
from gpu_speed import WARM_UP, clock, job_threads, training_step

from asdlib.errors import AsdError
from asdlib.training.arithmetic import computing
from asdlib.training.cuda_graphs import FEWEST, Replay

COMPILED = ("dismae_tiny",)
STEPS = FEWEST + 4  # of an epoch
LIMIT = 0.05  # of losses: sums in varying order, amplified by the steps
GRAPH_COLUMNS = ("usual loss", "with graphs", "row s")
COMPILE_COLUMNS = ("eager ms", "compiled ms", "first step s", "row s")


def graphed(chosen: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one recipe of each kind that is recorded by default, the one whose step is the smallest."""
    recorded = [pair for pair in chosen if full_recipe(*pair).training.get("cuda_graph")]
    found: dict[str, tuple[str, str]] = {}
    for pair in sorted(recorded, key=lambda pair: not pair[1].endswith("_small")):
        found.setdefault(full_recipe(*pair).kind, pair)
    return list(found.values())


def replayed(registry: str, name: str, small: bool, device: str) -> dict[str, Any]:
    """Return the loss of an epoch without and with `cuda_graph`, which has no effect on the CPU."""
    place = torch.device(device)
    row: dict[str, Any] = {"faults": []}
    losses = []
    for on in (False, True):
        made = case(registry, name, small, clips=112, training={"cuda_graph": on})
        with computing(made.training.precision, place), _replays() as replays:
            try:
                losses.append(in_the_loop(made, place, STEPS).loss)
            except AsdError as error:
                return {"faults": [str(error)]}
    if place.type == "cuda" and not replays.called:
        row["faults"].append("no batch was replayed")
    usual, graphs = losses
    if not abs(graphs - usual) <= LIMIT * abs(usual):
        row["faults"].append("the losses differ")
    return row | {"usual loss": f"{usual:.6g}", "with graphs": f"{graphs:.6g}"}


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
        with computing(made.training.precision, place), job_threads():
            step = training_step(made, place)
            row["first step s"] = clock(place, lambda: step(0))[0]  # noqa: B023 (called at once)
            for number in range(WARM_UP):
                step(number)
            row[column] = 1000 * clock(place, lambda: [step(number) for number in range(TIMED)])[0] / TIMED  # noqa: B023
    return row
