"""Models that are not trained: public weights as they are, or a rule without weights."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from asdlib.models import MODELS
from asdlib.training.build import start_from_public
from asdlib.workflow.recipe import Recipe, Settings

SEED = 0  # of the initial weights where a recipe takes no public ones, whatever the seeds of the run
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FrozenModel:
    """A model that is not trained: its resolved recipe and, in lists of at most one, its public file and pin."""

    settings: Settings
    public: list[Path]
    pins: list[str]

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return Recipe("models", self.settings)

    def build(self) -> nn.Module:
        """Return the network in evaluation mode. Raises AsdError if the public file is not the pinned one."""
        recipe = self.recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            network = MODELS[recipe.kind](**recipe.arguments)
        if recipe.from_scratch:
            _log.warning("checkpoint: null: %s has random weights instead of public ones", recipe.name)
        start_from_public(network, recipe, self.public, self.pins)
        return network.eval().requires_grad_(False)


def parameters_of(network: nn.Module) -> int:
    """Return the number of a network's floating-point values, as `count_parameters` counts those of trained ones."""
    return sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
