"""Batches computed in parts, for GPUs whose memory is too small for a whole batch.

The gradient is that of the whole batch, to rounding, if a network's loss is the mean over its examples. Such a network
has `divisible = True`. Losses that relate the examples to each other, and batch norm, need the whole batch. What a
network draws at random, such as masks, it draws for every part.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import tensors_of
from asdlib.runtime.gpu_memory import is_shortage
from asdlib.training.batch_norm import layers_of
from asdlib.training.batches import Batches
from asdlib.training.fabric import Fabric, gathered
from asdlib.training.settings import Training

AUTO = "auto"
SPARE = 0.1  # of what the trial took: masks of random size take a varying amount
MOMENTS = 2  # that Adam keeps of every weight, from its first step on
_log = logging.getLogger(__name__)


def refuse_indivisible(settings: Training, network: nn.Module) -> None:
    """Raise AsdError if a batch shall be computed in parts and the network's loss does not allow it."""
    chosen = settings.micro_batch
    if chosen is None:
        return
    if chosen != AUTO and not (type(chosen) is int and chosen >= 1):
        raise AsdError(f"training.micro_batch: {chosen!r}: give {AUTO}, or a number of examples from 1")
    if not getattr(network, "divisible", False) or layers_of(network):
        raise AsdError(
            "training.micro_batch: the loss of this network needs the whole batch: leave it out, and set a smaller "
            "batch_size if the memory is too small"
        )


def parts(batch: Any, size: int | None) -> Iterator[tuple[Any, float]]:
    """Yield a batch, a dataclass of tensors (B, …), in parts of about equal size, each with its share of the batch."""
    examples = _examples(batch)
    if size is None or size >= examples:
        yield batch, 1.0
        return
    for rows in torch.arange(examples).tensor_split(-(-examples // size)):
        chosen = slice(int(rows[0]), int(rows[-1]) + 1)
        yield replace(batch, **{name: value[chosen] for name, value in tensors_of(batch).items()}), len(rows) / examples


def largest_part(fabric: Fabric, network: nn.Module, first: Batches) -> int:
    """Return how many examples of a batch every process can compute at a time.

    `first` are the batches of an epoch. It is tried before Fabric wraps the network, so that no process waits for
    another one.
    """
    network.to(fabric.device)
    batch, _ = next(first.parts(fabric.global_rank, fabric.world_size))
    with fabric.autocast():
        return min(gathered(fabric, fitting(network, batch, network.loss, fabric.device)))


def fitting(network: nn.Module, batch: Any, compute: Callable[[Any], Tensor], device: torch.device) -> int:
    """Return how many examples of a batch fit into the memory at a time: all, or a half, a quarter and so on.

    It computes the loss, which `compute` returns, and the gradient of the network, and leaves nothing of them behind
    but numbers drawn. Raises what the GPU raised if a single example does not fit.
    """
    size = whole = _examples(batch)
    network.train()
    while (shortage := _shortage(network, batch, size, compute, device)) is not None:
        if size == 1:
            raise shortage
        size = -(-size // 2)
    network.zero_grad(set_to_none=True)
    if size < whole:
        _log.warning(
            "micro_batch: the GPU's memory is too small for a batch of %d: it is computed in parts of up to %d; "
            "what the network draws at random, it draws for every part",
            whole, size,
        )  # fmt: skip
    return size


def same_part(found: int, stored: int | None) -> int:
    """Return how many examples a resumed training computes at a time: as many as before, or as many as fit now."""
    if stored is not None and found < stored:
        _log.warning(
            "micro_batch: only %d examples fit now, %d did before: from here on, what the network draws differs from "
            "an unbroken training",
            found, stored,
        )  # fmt: skip
    return found if stored is None else min(found, stored)


def _shortage(
    network: nn.Module, batch: Any, size: int, compute: Callable[[Any], Tensor], device: torch.device
) -> RuntimeError | None:
    """Try the first part of a batch; return the error that says that the memory is too small, None if it fits."""
    network.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    part, _ = next(parts(batch, size))
    try:
        compute(part).backward()
        return None if _leaves_room(network, device) else torch.OutOfMemoryError("no memory is left for the optimiser")
    except RuntimeError as error:
        if not is_shortage(error):
            raise
        # The traceback holds the tensors of the failed attempt, and a part of half the size needs their memory.
        return error.with_traceback(None)
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _examples(batch: Any) -> int:
    return len(next(iter(tensors_of(batch).values())))


def _leaves_room(network: nn.Module, device: torch.device) -> bool:
    """Return whether a GPU still has memory for the optimiser's state and for batches that take somewhat more."""
    if device.type != "cuda":
        return True
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    moments = MOMENTS * sum(weight.numel() * weight.element_size() for weight in learned)
    free, _ = torch.cuda.mem_get_info(device)
    return free >= moments + SPARE * torch.cuda.max_memory_allocated(device)
