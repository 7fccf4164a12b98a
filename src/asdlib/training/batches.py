"""Training examples, and the batches that they are divided into."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from asdlib.errors import AsdError, TooFewClipsError
from asdlib.examples.seeding import generator
from asdlib.training.feed import feed
from asdlib.training.settings import Training


class Examples(Protocol):
    """What a model is trained on: clips, parts of clips, or mixtures.

    Some attributes are optional. `begin_epoch(epoch)` is called before each epoch, for examples that are redrawn.
    `features` (N, …) is what batches are cut from; the trainer may move it to the device. `validation`, also Examples,
    is a validation set of their own. `regrouped = True` means that examples are made of different clips in every epoch,
    so that none can be held out. `recordings`, a list, has the recording that each example is made of, and `target`
    (N,) is True for examples of the target domain.
    """

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor) -> Any:
        """Return the examples of these indices as one batch, a dataclass with a method `to(device)`.

        It must not draw from a global random generator, because a thread may call it one batch ahead.
        """
        ...


class Batches:
    """Examples in a fixed order, divided into batches; every iteration gives the same batches.

    If a single example is left over, it joins the batch before it, because batch norm cannot learn from one example.
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
        return feed(self._examples, self._pieces, self._device)

    def parts(self, rank: int, world: int, start: int = 0) -> Iterator[tuple[Any, float]]:
        """Return the part of every batch that is process `rank`'s of `world`, and the weight of its mean loss.

        The first `start` batches are left out, without being read.
        The average of the weighted means over all processes is the mean of the whole batch. A process that gets no
        example of a short batch computes one with weight 0, because all processes must take every step together.
        """
        pieces = self._pieces[start:]
        owned = [piece[rank::world] for piece in pieces]
        chosen = [own if len(own) else piece[:1] for own, piece in zip(owned, pieces, strict=True)]
        weights = [len(own) * world / len(piece) for own, piece in zip(owned, pieces, strict=True)]
        return zip(feed(self._examples, chosen, self._device), weights, strict=True)


def held_out_examples(examples: Examples, settings: Training, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices of the training and of the validation examples.

    Raises AsdError for settings that the examples do not allow, and TooFewClipsError as `split` does.
    """
    if settings.validation and getattr(examples, "regrouped", False):
        raise AsdError(
            "training.validation: the clips are regrouped in every epoch, so none can be held out: leave it at 0"
        )
    if settings.validation_recordings is None:
        return split(len(examples), settings.validation, seed)
    if not hasattr(examples, "recordings"):
        raise AsdError("training.validation_recordings: an example of this model is not of one recording: leave it out")
    share, most = settings.validation, settings.validation_recordings
    return split_recordings(examples.recordings, examples.target, share, most, seed)


def split(count: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices of training and validation examples: a random split of `count`, with `share` held out.

    Raises TooFewClipsError if fewer than two training examples remain.
    """
    order = torch.randperm(count, generator=generator(seed, "split"))
    held_out = round(count * share)
    if count - held_out < 2:
        raise TooFewClipsError(f"training: {count} examples are too few to learn from: add training clips")
    return order[held_out:], order[:held_out]


def split_recordings(
    recordings: Sequence[Hashable], target: Tensor, share: float, most: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the indices of training and validation examples: `share` of the recordings held out, at most `most`.

    `recordings` names the recording of each example. All examples that are made of a held-out recording, such as its
    separated copy, are left out of the training; one of them, drawn at random, is a validation example. Recordings of
    the `target` domain are never held out, because there are few. Raises TooFewClipsError if fewer than two training
    examples remain.
    """
    order = torch.randperm(len(recordings), generator=generator(seed, "split")).tolist()
    first = {recordings[index]: index for index in reversed(order)}  # of each recording, the first of `order`
    kept = {recordings[index] for index in target.nonzero().flatten().tolist()}
    drawn = [index for index in order if first[recordings[index]] == index and recordings[index] not in kept]
    watched = drawn[: min(most, round(share * len(first)))]
    held_out = {recordings[index] for index in watched}
    chosen = [index for index in order if recordings[index] not in held_out]
    if len(chosen) < 2:
        raise TooFewClipsError(f"training: {len(chosen)} examples are too few to learn from: add training clips")
    return torch.tensor(chosen), torch.tensor(watched, dtype=torch.int64)


def shuffled(chosen: Tensor, epoch: int, seed: int, count: int | None = None) -> Tensor:
    """Return an epoch's order: each chosen example once, or `count` indices from successive permutations."""
    rounds = 1 if count is None else -(-count // len(chosen))
    draw = generator(seed, f"epoch {epoch}")
    order = torch.cat([torch.randperm(len(chosen), generator=draw) for _ in range(rounds)])
    return chosen[order[:count]]
