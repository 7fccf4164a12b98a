"""An epoch that is under way, and what must be stored of it so that a training continues at the very step.

Weights, buffers and the optimiser's state are stored by asdlib.training.state. The order of the examples follows from
the seed and the epoch.
"""

import time
from typing import Any

import torch
from torch import Tensor, nn

from asdlib.examples.seeding import generator_states, set_generator_states
from asdlib.training.terms import TermLog


class EpochSoFar:
    """What this process has computed of an epoch of `count` batches in `steps` steps."""

    def __init__(self, count: int, steps: int, device: torch.device):
        self.losses = torch.zeros(count, device=device)
        self.norms = torch.zeros(steps, device=device)  # of the gradients, if they are clipped
        self.log = TermLog()
        self.done = 0  # number of batches
        self._device = device
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time that the epoch has taken, without that between two runs."""
        return time.monotonic() - self._start

    def add(self, loss: Tensor) -> None:
        """Record the loss of the next batch."""
        self.losses[self.done] = loss
        self.done += 1

    def content(self, network: nn.Module) -> dict[str, Any]:
        """Return what must be stored, on the CPU. Call it between two steps."""
        return {
            "done": self.done,
            "losses": self.losses.cpu(),
            "norms": self.norms.cpu(),
            "log": self.log.content(),
            "seconds": self.seconds,
            "draws": generator_states(self._device),
            "network": {name: part.epoch_state() for name, part in _with_state(network).items()},
        }

    def restore(self, content: dict[str, Any], network: nn.Module) -> None:
        """Continue where `content` was stored; set all random generators as they were."""
        self.done = content["done"]
        self.losses.copy_(content["losses"])
        self.norms.copy_(content["norms"])
        self.log.restore(content["log"], self._device)
        self._start -= content["seconds"]
        for name, part in _with_state(network).items():
            part.restore_epoch(content["network"][name])
        set_generator_states(content["draws"], self._device)


def _with_state(network: nn.Module) -> dict[str, Any]:
    """Return the network and those of its layers that gather something in an epoch, by name."""
    return {name: part for name, part in network.named_modules() if hasattr(part, "epoch_state")}
