"""The sizes of config/demo.yaml: few clips, too, give enough steps."""

import pytest
from helpers.registry_toys import ROOT

from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import Recipes
from asdlib.workflow.yaml_files import read_yaml

DEMO = Recipes(
    ROOT / "config" / "systems",
    read_yaml(ROOT / "config" / "demo.yaml")["override"],
    read_yaml(ROOT / "config" / "checkpoints.yaml")["checkpoints"],
)


def trained(registry: str) -> list[Recipe]:
    found = [DEMO.resolve(kind, name, 0) for kind, name in DEMO.blocks if kind == registry]
    return [recipe for recipe in found if recipe.trained]


@pytest.mark.parametrize("recipe", trained("models"), ids=lambda recipe: recipe.name)
def test_every_toy_counts_steps(recipe: Recipe) -> None:
    """An epoch that counts clips is as short as a machine has few of them."""
    assert recipe.training["steps_per_epoch"] * recipe.training["epochs"] >= 60
