"""A stand-in for CUDA graphs on the CPU: tensor operations that are recorded once and then done again.

Like a graph, it repeats what Python computed while it was recorded, reads weights and batches where they lie, and
leaves its results in the same tensors every time. Random draws of the CPU are operations here; a GPU draws its own.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from asdlib.training.cuda_graphs import Terms


class Tape(TorchDispatchMode):
    """Records the operations that are done while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable, tuple, dict, list]] = []

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        if call is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("the host looks at a value")
        result = call(*args, **kwargs or {})
        self.calls.append((call, args, kwargs or {}, leaves(result)))
        return result

    def play(self, wanted: list[Tensor]) -> list[Tensor]:
        """Do all operations again; return what they give in place of the recorded tensors that are `wanted`."""
        made: dict[int, Tensor] = {}

        def now(one: Any) -> Any:
            return [now(part) for part in one] if isinstance(one, list | tuple) else made.get(id(one), one)

        for call, args, kwargs, recorded in self.calls:
            result = call(*map(now, args), **{name: now(one) for name, one in kwargs.items()})
            made |= {id(old): new for old, new in zip(recorded, leaves(result), strict=True)}
        return [now(one) for one in wanted]


def leaves(result: Any) -> list:
    """Return what an operation gives, as a list; most give one tensor, and `tree_leaves` is slow."""
    return [result] if isinstance(result, Tensor) else tree_leaves(result)


def recorder(network: nn.Module) -> Callable[[Callable[[], Terms]], tuple[Callable[[], None], Terms]]:
    """Return what can take the place of `asdlib.training.cuda_graphs.recorded`."""

    def recorded(work: Callable[[], Terms]) -> tuple[Callable[[], None], Terms]:
        state, draws = {key: value.clone() for key, value in network.state_dict().items()}, torch.get_rng_state()
        with Tape() as tape:
            terms = work()
        network.load_state_dict(state)  # unlike CUDA, the tape computes what it records: that is undone
        torch.set_rng_state(draws)
        reached = [weight for weight in network.parameters() if weight.grad is not None]
        results = [*terms.values(), *[weight.grad for weight in reached]]
        places = [torch.empty_like(result) for result in results]
        for weight, place in zip(reached, places[len(terms) :], strict=True):
            weight.grad = place

        def replay() -> None:
            with torch.no_grad():
                for place, result in zip(places, tape.play(results), strict=True):
                    place.copy_(result)

        return replay, dict(zip(terms, places, strict=False))

    return recorded
