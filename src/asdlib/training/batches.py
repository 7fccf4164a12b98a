"""Examples and the batches cut from them."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.examples.seeding import generator


class Examples(Protocol):
    """What a model is trained on: clips, pieces of them, mixtures.

    Three things are optional. `begin_epoch(epoch)` is called before each epoch for examples that are drawn anew.
    `validation`, Examples as well, is what they hold out themselves. `regrouped = True` says that an example has other
    clips in every epoch, so that none can be held out.
    """

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor) -> Any:
        """Return these examples as one batch, which has `to(device)`."""
        ...


class Batches:
    """Some examples in a fixed order, cut into batches; iterating twice gives the same batches.

    A single left-over example joins the batch before it: batch norm cannot learn from one.
    """

    def __init__(self, examples: Examples, order: Tensor, size: int, device: torch.device):
        self.examples = len(order)
        self._examples = examples
        self._device = device
        pieces = list(order.split(size))
        if size > 1 and len(pieces) > 1 and len(pieces[-1]) == 1:
            pieces[-2:] = [torch.cat(pieces[-2:])]
        self._pieces = [piece for piece in pieces if len(piece)]

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def sizes(self) -> list[int]:
        """The number of examples in each batch."""
        return [len(piece) for piece in self._pieces]

    def __iter__(self) -> Iterator[Any]:
        for piece in self._pieces:
            yield self._examples.batch(piece).to(self._device)

    def parts(self, rank: int, world: int) -> Iterator[tuple[Any, float]]:
        """Yield one of `world` processes' part of every batch, and the weight of its mean loss.

        The mean over processes of the weighted means is the mean of the whole batch. A process for which a batch is
        too short takes part with weight 0: all have to take every step together.
        """
        for piece in self._pieces:
            own = piece[rank::world]
            chosen = own if len(own) else piece[:1]
            yield self._examples.batch(chosen).to(self._device), len(own) * world / len(piece)


def split(count: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split so many examples at random into those to learn from and the `share` that is only watched."""
    order = torch.randperm(count, generator=generator(seed, "split"))
    held_out = round(count * share)
    if count - held_out < 2:
        raise AsdError(f"training: {count} examples are too few to learn from: add training clips")
    return order[held_out:], order[:held_out]


def shuffled(chosen: Tensor, epoch: int, seed: int, count: int | None = None) -> Tensor:
    """Return an epoch's order: all chosen examples once, or `count` of them, drawn in shuffled rounds."""
    rounds = 1 if count is None else -(-count // len(chosen))
    draw = generator(seed, f"epoch {epoch}")
    order = torch.cat([torch.randperm(len(chosen), generator=draw) for _ in range(rounds)])
    return chosen[order[:count]]
