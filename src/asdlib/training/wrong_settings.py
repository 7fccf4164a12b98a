"""The line to paste for a setting of a model that does not fit the clips."""

from collections.abc import Iterator
from contextlib import contextmanager

from asdlib.errors import AsdError, WrongSettingError
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.snakemake_call import nested


@contextmanager
def with_line(recipe: Recipe) -> Iterator[None]:
    """Add what to write in the config to a WrongSettingError, which knows the class and not the recipe."""
    try:
        yield
    except WrongSettingError as error:
        _, key, value = error.args
        entry = nested("override", recipe.registry, recipe.name, key, value=str(value))
        raise AsdError(f"{error} with --config '{entry}'") from error
