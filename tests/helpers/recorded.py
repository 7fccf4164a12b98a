"""A stand-in for CUDA graphs on the CPU: a program of tensor operations that is recorded once and then replayed.

Like a graph, it repeats what Python computed while it was recorded, reads weights and batches where they lie, and
leaves its results in the same tensors every time. Random draws of the CPU are operations here; a GPU draws its own.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional

from asdlib.training.cuda_graphs import Terms


def recorder(network: nn.Module) -> Callable[[Callable[[], Terms]], tuple[Callable[[], None], Terms]]:
    """Return what can take the place of `asdlib.training.cuda_graphs.recorded`."""
    weights = list(network.parameters())

    def results(work: Callable[[], Terms]) -> list[Tensor | None]:
        terms = work()
        names.extend(terms)
        return [*terms.values(), *[weight.grad for weight in weights]]

    names: list[str] = []

    def recorded(work: Callable[[], Terms]) -> tuple[Callable[[], None], Terms]:
        state, draws = {key: value.clone() for key, value in network.state_dict().items()}, torch.get_rng_state()
        names.clear()
        program = make_fx(lambda: results(work))()  # unlike CUDA, it computes what it records: that is undone
        network.load_state_dict(state)
        torch.set_rng_state(draws)
        places = [None if result is None else torch.empty_like(result) for result in program.forward()]
        network.load_state_dict(state)
        torch.set_rng_state(draws)
        for weight, place in zip(weights, places[len(names) :], strict=True):
            weight.grad = place

        def replay() -> None:
            with torch.no_grad():
                for place, result in zip(places, program(), strict=True):
                    if place is not None:
                        place.copy_(result)

        return replay, dict(zip(names, places, strict=False))

    return recorded


def without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `one_hot` not look at its labels, which it does on a CPU alone."""

    def one_hot(labels: Tensor, classes: int) -> Tensor:
        return (labels[..., None] == torch.arange(classes, device=labels.device)).long()

    monkeypatch.setattr(functional, "one_hot", one_hot)
