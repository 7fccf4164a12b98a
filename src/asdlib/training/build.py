"""Networks as recipes describe them: built for a training, or restored from a checkpoint."""

from torch import nn

from asdlib.examples.clips import Clips
from asdlib.models import MODELS
from asdlib.separators import SEPARATORS
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings


def build_separator(recipe: Recipe) -> nn.Module:
    """Build a separator with its first weights."""
    return SEPARATORS[recipe.kind](**recipe.arguments)


def build_model(recipe: Recipe, clips: Clips) -> tuple[nn.Module, Settings]:
    """Build a model with its first weights; return what it learned from the training clips about its shape, too."""
    network = MODELS[recipe.kind](**recipe.arguments)
    if not hasattr(network, "survey"):
        return network, {}
    facts = network.survey(clips)
    network.grow(facts)
    return network, facts


def start(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Give a model the weights that its training starts from."""
    if hasattr(network, "start_from"):
        network.start_from(checkpoint)
    else:
        network.load_state_dict(checkpoint.weights)


def restore_separator(checkpoint: Checkpoint) -> nn.Module:
    """Build the separator of a checkpoint, ready to be used."""
    network = build_separator(Recipe("separators", checkpoint.recipe))
    network.load_state_dict(checkpoint.weights)
    return network.eval()


def restore_model(checkpoint: Checkpoint) -> nn.Module:
    """Build the model of a checkpoint, ready to be used."""
    recipe = Recipe("models", checkpoint.recipe)
    network = MODELS[recipe.kind](**recipe.arguments)
    if hasattr(network, "grow"):
        network.grow(checkpoint.facts)
    network.load_state_dict(checkpoint.weights)
    return network.eval()
