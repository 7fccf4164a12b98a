"""Building networks from recipes and restoring them from checkpoints."""

from pathlib import Path

from torch import nn

from asdlib.examples.clips import Clips
from asdlib.models import MODELS
from asdlib.separators import SEPARATORS
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.pins import verify
from asdlib.workflow.recipe import Recipe, Settings


def build_separator(recipe: Recipe) -> nn.Module:
    """Return a separator with its initial weights."""
    return SEPARATORS[recipe.kind](**recipe.arguments)


def build_model(recipe: Recipe, clips: Clips) -> tuple[nn.Module, Settings]:
    """Return a model with its initial weights, and the facts that its `survey` found in the training clips."""
    network = MODELS[recipe.kind](**recipe.arguments)
    if not hasattr(network, "survey"):
        return network, {}
    facts = network.survey(clips)
    network.grow(facts)
    return network, facts


def start_from_public(network: nn.Module, recipe: Recipe, files: list[Path], pins: list[str]) -> None:
    """Load the public weights that a recipe names; `files` and `pins` are empty or have their file and its SHA-256.

    Raises AsdError if the file is not the pinned one.
    """
    for path in files:
        verify(path, recipe.public["name"], pins[0] if pins else None)
        network.start_from_public(path)


def start(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the weights that the training of a model starts from."""
    if hasattr(network, "start_from"):
        network.start_from(checkpoint)
    else:
        network.load_state_dict(checkpoint.weights)


def restore_separator(checkpoint: Checkpoint) -> nn.Module:
    """Return the separator of a checkpoint, in evaluation mode."""
    network = build_separator(Recipe("separators", checkpoint.recipe))
    network.load_state_dict(checkpoint.weights)
    return network.eval()


def restore_model(checkpoint: Checkpoint) -> nn.Module:
    """Return the model of a checkpoint, in evaluation mode."""
    recipe = Recipe("models", checkpoint.recipe)
    network = MODELS[recipe.kind](**recipe.arguments)
    if hasattr(network, "grow"):
        network.grow(checkpoint.facts)
    network.load_state_dict(checkpoint.weights)
    return network.eval()
