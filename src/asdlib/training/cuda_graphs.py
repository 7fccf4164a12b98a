"""The gradients of small networks as CUDA graphs: the host launches one graph in place of hundreds of kernels.

A network whose kernels take less time than the host needs to launch them trains at the host's speed. A graph records
the kernels of the forward and the backward pass once and replays them for every batch of the same shape, with the same
results. Whatever Python computed is part of the record, so that a graph is valid for one epoch: `begin_epoch` of a
network may change it. Learning rate, clipping and the optimiser's step stay outside.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import tensors_of
from asdlib.examples.seeding import generator_states
from asdlib.runtime.gpu_memory import is_shortage
from asdlib.training.settings import Training

EAGER = 3  # batches of an epoch before one is recorded; the libraries that compute them set themselves up
FEWEST = 20  # batches of an epoch for which a record is worth its time
_REMEDY = "set training.cuda_graph to false"

Terms = dict[str, Tensor]
_log = logging.getLogger(__name__)


def can_record(network: nn.Module, settings: Training, device: torch.device, part: int | None) -> bool:
    """Return whether the gradients of a training are recorded; on a GPU, warn if they cannot be.

    Raises AsdError for a network that does more within an epoch than to compute losses.
    """
    if not settings.cuda_graph or device.type != "cuda":
        return False
    if hasattr(network, "after_step") or any(hasattr(layer, "epoch_state") for layer in network.modules()):
        raise AsdError(f"training.cuda_graph: a graph does not follow what this network does between steps: {_REMEDY}")
    hindrances = {
        "devices": settings.devices > 1,
        "accumulate": settings.accumulate > 1,
        "micro_batch": part is not None and part < settings.batch_size,
    }
    found = [name for name, hinders in hindrances.items() if hinders]
    if found:
        _log.warning("no CUDA graph is used: it replays whole steps of one GPU, and training.%s divides them", found[0])
    return not found


class Replay:
    """The gradient of an epoch's batches; a batch of another shape than the recorded one must be computed as usual.

    `compute` returns the terms of a batch's loss after it has added their gradient to `network`. A record keeps the
    memory of a whole step. If the GPU has too little, all batches of the epoch must be computed as usual.
    """

    def __init__(self, network: nn.Module, compute: Callable[[Any], Terms]):
        self._network = network
        self._compute = compute
        self._eager = EAGER
        self._shape: dict[str, Any] | None = None

    def takes(self, batch: Any) -> bool:
        """Return whether `terms` can be called for the next batch; the first batches of an epoch are not taken."""
        if self._eager:
            self._eager -= 1
            return False
        if self._shape is None:
            self._record(batch)
        return _shape(batch) == self._shape

    def terms(self, batch: Any) -> Terms:
        """Return the terms of a batch, and set the gradient of the network; the next call overwrites both."""
        for name, tensor in tensors_of(self._batch).items():
            tensor.copy_(getattr(batch, name))
        self._replay()
        for weight, gradient in self._gradients:
            weight.grad = gradient
        return self._terms

    def _record(self, batch: Any) -> None:
        """Record the gradient of a batch, without computing it; the network's gradient must be None."""
        self._shape = _shape(batch)
        self._batch = replace(batch, **{name: tensor.clone() for name, tensor in tensors_of(batch).items()})
        before = self._host_state()
        try:
            self._replay, self._terms = recorded(lambda: self._compute(self._batch))
        except RuntimeError as error:
            if is_shortage(error) or is_shortage(error.__context__):  # the end of a record that failed may fail as well
                self._go_on_without()
                return
            reason = " ".join(str(error).split())[:200]
            raise AsdError(f"training.cuda_graph: this network cannot be recorded ({reason}): {_REMEDY}") from error
        if self._host_state() != before:
            raise AsdError(
                "training.cuda_graph: the loss of this network draws numbers on the CPU or replaces buffers, which a "
                f"graph would not repeat: {_REMEDY}"
            )
        self._gradients = [(weight, weight.grad) for weight in self._network.parameters() if weight.grad is not None]

    def _go_on_without(self) -> None:
        """Let all further batches be computed as usual; what was recorded of a gradient was never computed."""
        _log.warning("no CUDA graph is used in this epoch: the GPU's memory is too small to record one")
        self._network.zero_grad(set_to_none=True)
        self._shape, self._batch = {}, None

    def _host_state(self) -> list[Any]:
        """Return what the loss may not change outside the device."""
        states = generator_states(torch.device("cpu"))
        return [states | {"torch": states["torch"].tolist()}, [id(buffer) for buffer in self._network.buffers()]]


def recorded(work: Callable[[], Terms]) -> tuple[Callable[[], None], Terms]:
    """Return a function that does the recorded work again, and the tensors in which it leaves its result."""
    graph = torch.cuda.CUDAGraph()
    # PyTorch stays on the stream of a record that cannot be ended (too little memory): this leads back.
    usual = torch.cuda.stream(torch.cuda.current_stream())
    # thread_local: meanwhile, the thread that makes the next batch may reserve pinned memory
    with usual, torch.cuda.graph(graph, capture_error_mode="thread_local"):
        found = work()
    return graph.replay, found


def _shape(batch: Any) -> dict[str, Any]:
    """Return the shape and type of a batch's tensors, and its other values."""
    return vars(batch) | {name: (value.shape, value.dtype) for name, value in tensors_of(batch).items()}
