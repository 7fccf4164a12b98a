"""The code that a stage runs, as a hash: that of its step and of the classes that its recipes name."""

from functools import cache

from asdlib.workflow import code_hash
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.variants import Variant


@cache
def of_step(step: str, *classes: tuple[str, str]) -> str:
    """Hash the code of a step and of the classes, (registry, kind), that it builds."""
    return code_hash.hash_of(f"asdlib.steps.{step}", *(code_hash.registry_module(*chosen) for chosen in classes))


def of_recipe(step: str, recipe: Recipe) -> str:
    """Hash the code of a step that builds the class of one recipe."""
    return of_step(step, (recipe.registry, recipe.kind))


def of_download(graph: Graph, dataset: str) -> str:
    """Hash the code that fetches or makes a dataset's recordings."""
    return of_step("download", ("sources", graph.all_datasets[dataset].source["kind"]))


def of_score(variant: Variant) -> str:
    """Hash the code that scores a variant."""
    return of_step("score", *(("backends", branch.backend.kind) for branch in variant.branches))
