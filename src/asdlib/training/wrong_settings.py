"""The line to paste for a setting of a model that does not fit the clips."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asdlib.errors import AsdError, WrongSettingError
from asdlib.examples.clips import Clips
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.snakemake_call import nested


@contextmanager
def line_to_paste(recipe: Recipe) -> Iterator[None]:
    """Add what to write in the config to a WrongSettingError, which knows the class and not the recipe."""
    try:
        yield
    except WrongSettingError as error:
        _, key, value = error.args
        entry = nested("override", recipe.registry, recipe.name, key, value=str(value))
        raise AsdError(f"{error} with --config '{entry}'") from error


def ask(refuse: Callable[..., None], recipe: Recipe, clips: Clips) -> None:
    """Let the class of a recipe refuse clips, before its training and with the line to paste."""
    with line_to_paste(recipe):
        refuse(clips, **recipe.arguments)
