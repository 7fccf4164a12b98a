"""Hashes of the code that the stages run: that of their steps and of the classes that their recipes name."""

from functools import cache

from asdlib.workflow import code_hash
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.variants import Variant


@cache
def of_step(step: str, *classes: tuple[str, str]) -> str:
    """Return a hash of the code of a step and of the classes, as (registry, kind), that it uses."""
    return code_hash.hash_of(f"asdlib.steps.{step}", *(code_hash.registry_module(*chosen) for chosen in classes))


def of_recipe(step: str, recipe: Recipe) -> str:
    """Return a hash of the code of a step and of the class of a recipe."""
    return of_step(step, (recipe.registry, recipe.kind))


def of_download(graph: Graph, dataset: str) -> str:
    """Return a hash of the code that downloads or synthesises a dataset's recordings."""
    return of_step("download", ("sources", graph.all_datasets[dataset].source["kind"]))


def of_score(variant: Variant) -> str:
    """Return a hash of the code that scores a variant."""
    return of_step("score", *(("backends", branch.backend.kind) for branch in variant.branches))
