"""Arguments for the tests of a registry's classes: a class without toy arguments is tested as its recipe has it."""

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asdlib.workflow.arguments import arguments
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]


def first_recipe(registry: str, kind: str) -> dict[str, Any]:
    """Return the first recipe of config/systems that names a kind; an empty one if none does."""
    named = (block for block in all_recipes(registry).values() if block["kind"] == kind)
    return next(named, {})


def all_recipes(registry: str) -> dict[str, dict[str, Any]]:
    """Return the recipes of one registry, of all systems, as they stand in config/systems, for reading alone."""
    return {name: block for system in _systems() for name, block in system.get(registry, {}).items()}


@cache
def _systems() -> list[dict[str, Any]]:
    return [read_yaml(path) for path in sorted((ROOT / "config" / "systems").glob("*.yaml"))]


def recipe_arguments(registry: str, kind: str, made: type, table: str, given: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the arguments that a class gets from its first recipe, or none if its constructor has defaults for all.

    `table` is the test's file; `given` are arguments that the test itself gives.
    """
    found = arguments(registry, first_recipe(registry, kind))
    lacking = [name for name in required(made) if name not in found and name not in given]
    if lacking:
        pytest.fail(
            f"{table}: {kind}: no recipe of config/systems gives {', '.join(lacking)}: "
            f"add an entry {kind!r} to TOYS in this file"
        )
    return found


def required(made: type) -> list[str]:
    """Return the arguments without a default."""
    parameters = inspect.signature(made).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
