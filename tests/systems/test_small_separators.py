"""The small separators for CPUs: each takes the place of a large one with one setting, and its cost is a tenth."""

import json
import re

import pytest
from helpers.registry_toys import ROOT

from asdlib.planning.costs import Costs
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS
from asdlib.workflow.yaml_files import read_yaml

LARGE = {"conv_tasnet": "system3", "sepreformer": "system2", "tfgridnet": "system4"}


@pytest.fixture(params=LARGE)
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(ROOT)
    return request.param


def graph(large: str, change: dict) -> Graph:
    return Graph(read_config([], [f"systems=[{LARGE[large]}]", f"override={json.dumps(change)}"]), ROOT)


def test_one_setting_puts_a_small_separator_in_the_place_of_the_large_one(large: str) -> None:
    """Also in the augmentations that models learn from: nothing that a variant builds on names the large one."""
    small = f"{large}_small"
    for change, name in (({}, large), ({"separators": {large: small}}, small)):
        branches = [branch for variant in graph(large, change).variants_of(LARGE[large]) for branch in variant.branches]
        parts = json.dumps([[branch.views, branch.model.settings] for branch in branches])
        found = re.findall(rf'"name": "({large}\w*)"|separated/({large}\w*)-', parts)
        assert {one or other for one, other in found} == {name}


def test_a_small_separator_hears_the_same_mixtures(large: str) -> None:
    recipes = graph(large, {}).recipes
    one, two = (recipes.resolve("separators", name, 13711).settings for name in (large, f"{large}_small"))
    assert one["kind"] == two["kind"]
    assert one["pairs"] == two["pairs"]
    assert one["training"]["epochs"] == two["training"]["epochs"]


def test_a_small_separator_costs_a_tenth(large: str) -> None:
    change = {"separators": {large: f"{large}_small"}}
    recipe = graph(large, change).recipes.resolve("separators", f"{large}_small", 13711)
    cost = Costs(ROOT / COSTS, change).of(recipe)
    full = read_yaml(ROOT / COSTS)["recipes"]["separators"][large]
    assert round(cost["train"] / full["train"], 3) <= 0.1
    assert all(few / many <= 0.1 for few, many in zip(cost["gflop"], full["gflop"], strict=True))
