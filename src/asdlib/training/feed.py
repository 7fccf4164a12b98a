"""How batches reach the device: features that fit stay there, others are fetched one batch ahead.

Nothing here draws a random number, so that a batch does not depend on when and where it is made.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from asdlib.examples.clips import tensors_of

SHARE = 0.05  # of the device's free memory that features may take; the rest is for activations
_log = logging.getLogger(__name__)


def keep_on_device(examples: Any, device: torch.device) -> None:
    """Move the features of training examples to a GPU if they take at most `SHARE` of its free memory."""
    if device.type != "cuda" or not hasattr(examples, "features"):
        return
    need, free = examples.features.numel() * examples.features.element_size(), torch.cuda.mem_get_info(device)[0]
    fits = need <= SHARE * free
    _log.info(
        "features: %.2f GB %s the GPU (%.2f GB free; up to %.0f %% is used for features)",
        need / 1e9, "stay on" if fits else "are sent in batches to", free / 1e9, 100 * SHARE,
    )  # fmt: skip
    if fits:
        examples.features = examples.features.to(device)


def feed(examples: Any, pieces: Iterable[Tensor], device: torch.device) -> Iterator[Any]:
    """Yield the batch of every piece, indices of examples, on a device; see `fetches_ahead`."""
    if fetches_ahead(examples, device):
        for batch in made_ahead(lambda piece: pinned(examples.batch(piece)), pieces):
            yield batch.to(device)
    else:
        for piece in pieces:
            yield examples.batch(piece).to(device)


def fetches_ahead(examples: Any, device: torch.device) -> bool:
    """Return whether a thread makes the next batch in pinned memory: on a GPU, unless the features are there."""
    resident = getattr(examples, "features", None)
    return device.type == "cuda" and (resident is None or resident.device.type == "cpu")


def made_ahead(make: Callable[[Tensor], Any], pieces: Iterable[Tensor]) -> Iterator[Any]:
    """Yield what `make` returns for every piece; a thread makes the next one meanwhile."""
    with ThreadPoolExecutor(1) as worker:
        waiting = None
        for piece in pieces:
            following = worker.submit(make, piece)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def pinned(batch: Any) -> Any:
    """Return a batch, a dataclass, with its tensors in pinned memory, from which CUDA copies without a wait."""
    return replace(batch, **{name: value.pin_memory() for name, value in tensors_of(batch).items()})
