"""The system of frozen encoders has the published settings and networks, and no training."""

import pytest
import torch
from helpers.registry_toys import ROOT, all_recipes

from asdlib.models.frozen_encoder import FrozenEncoder
from asdlib.workflow.arguments import arguments
from asdlib.workflow.recipes import Recipes
from asdlib.workflow.yaml_files import read_yaml

PUBLIC = read_yaml(ROOT / "config" / "checkpoints.yaml")["checkpoints"]
VARIANTS = {one.name: one for one in Recipes(ROOT / "config" / "systems", checkpoints=PUBLIC).variants("encoders", 0)}


def settings(variant: str) -> dict:
    (branch,) = VARIANTS[variant].branches
    return branch.model.arguments | branch.backend.arguments


def test_one_vector_is_scored_as_published() -> None:
    """arXiv 2603.04605, table III and §IV-C."""
    common = {"pooling": "rdp_gem", "power": 3.0, "representation": "embedding", "metric": "euclidean"}
    density = {"neighbours": 1, "log": True, "rescale": "variance"}
    for variant, gamma in (("beats_pooled", 16.0), ("eat_pooled", 1.0)):
        expected = common | density | {"gamma": gamma}
        assert expected.items() <= settings(variant).items()


def test_bands_are_scored_as_published() -> None:
    expected = {"representation": "rows", "row_pooling": "rdp", "row_gamma": 4.0, "metric": "cosine", "neighbours": 4}
    assert (expected | {"rescale": "variance"}).items() <= settings("beats_rows").items()


def test_both_representations_are_those_of_one_pass() -> None:
    for kind in ("beats", "eat"):
        assert VARIANTS[f"{kind}_pooled"].branches[0].model.key == VARIANTS[f"{kind}_rows"].branches[0].model.key


def test_all_standardises_statistics_and_bands() -> None:
    everything = VARIANTS["all"]
    assert everything.fusion == "z_mean"
    assert [branch.model.name for branch in everything.branches] == ["clip_statistics", "beats_frozen"]
    assert everything.branches[1] == VARIANTS["beats_rows"].branches[0]


@pytest.mark.parametrize(("recipe", "values"), [("beats_frozen", 90_311_792), ("eat_frozen", 89_972_736)])
def test_the_networks_have_as_many_values_as_the_public_files(recipe: str, values: int) -> None:
    with torch.device("meta"):
        network = FrozenEncoder(**arguments("models", all_recipes("models")[recipe]))
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == values


def test_features_keep_the_length_of_a_clip() -> None:
    """A frontend with a number of rows would cut or pad clips."""
    frontends = all_recipes("frontends")
    for name in ("beats_frozen", "eat_frozen"):
        assert "rows" not in frontends[all_recipes("models")[name]["frontend"]]
