"""Waits of the host for the device in a training step, found on the meta device.

It has shapes and no values. What would make the host wait for a GPU raises there: `nonzero`, a boolean index, `item`.
Copies that block are found among the operations.
"""

from contextlib import nullcontext
from unittest.mock import patch

import helpers.meta_dirichlet  # noqa: F401 (a draw for the meta device)
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from asdlib.examples.clips import Batch
from asdlib.separation.mixtures import Mixtures

META = torch.device("meta")


class Copies(TorchDispatchMode):
    """Counts the copies between the CPU and the device that the host waits for, except those of `torch.tensor`."""

    def __init__(self) -> None:
        super().__init__()
        self.blocking = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        if function is torch.ops.aten._to_copy.default:
            crossing = args[0].device != found.device
            self.blocking += crossing and not kwargs.get("non_blocking", False)
        return found


def waits(network: nn.Module, batch: Batch | Mixtures) -> int:
    """Take a training step on the device; return how many copies block. Raise if a value is needed on the host."""
    network.to(META).train()
    # The meta device has no autocast, which networks switch off for a part of them.
    autocast = patch.object(torch, "autocast", lambda *_, **__: nullcontext())
    with Copies() as copies, autocast, patch.object(torch, "tensor", wraps=torch.tensor) as tensor:
        network.loss(batch.to(META)).backward()
    return copies.blocking + sum(call.kwargs.get("device") == META for call in tensor.call_args_list)
