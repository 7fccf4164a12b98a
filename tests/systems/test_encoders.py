"""The system of encoders has the published settings and networks."""

import pytest
import torch
import torchaudio.compliance.kaldi  # noqa: F401 (first imported on the meta device, its constants would have no values)
from helpers.registry_toys import ROOT, all_recipes

from asdlib.models.adapted_beats import AdaptedBeats
from asdlib.models.frozen_encoder import FrozenEncoder
from asdlib.training.optimisation import learning_rate
from asdlib.training.settings import Training
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


def test_the_adapted_encoder_is_trained_as_published() -> None:
    """kasahart/asd-experiments, reproduction/asd03, and the toolkit that it uses."""
    (branch,) = VARIANTS["beats_adapted"].branches
    expected = {
        "lora_rank": 64, "lora_scale": 0.125, "dropout": 0.1, "layer_drop": 0.05, "crop": 160000, "mixup": 0.5,
        "attention": 48, "dimensions": 256, "sub_clusters": 16,
    }  # fmt: skip
    assert expected.items() <= branch.model.arguments.items()
    training = Training(**branch.model.training)
    steps = 12_000 // training.batch_size
    assert steps * training.epochs == 37_500
    assert round(training.warmup_epochs * steps) == 5000
    rates = [learning_rate(training, step, 37_500) for step in (0, 2499, 4999, 5000, 37_499)]
    assert rates == pytest.approx([2e-8, 5e-5, 1e-4, 1e-4, 1e-4])
    others = (training.optimizer, training.weight_decay, training.precision, branch.model.joint)
    assert others == ("adamw", 0.01, "float32", True)
    assert branch.model.public["file"] == "BEATs_iter3.pt"


def test_clips_without_attributes_are_labelled_as_published() -> None:
    labeller = VARIANTS["beats_adapted"].branches[0].model.labeller
    assert {"representation": "embedding", "share": 0.008, "random_state": 42}.items() <= labeller.arguments.items()
    assert {"sequence": "joined", "pooling": "mean"}.items() <= labeller.model.arguments.items()
    assert labeller.model.public == VARIANTS["beats_rows"].branches[0].model.public


def test_the_adapted_encoder_is_scored_as_the_frozen_one() -> None:
    adapted, frozen = (VARIANTS[name].branches[0] for name in ("beats_adapted", "beats_rows"))
    assert adapted.backend == frozen.backend
    for key in ("row_pooling", "row_gamma"):
        assert adapted.model.arguments[key] == frozen.model.arguments[key]


def test_the_adapted_network_has_the_public_values_and_those_that_learn() -> None:
    """docs/encoders.md, Cost."""
    with torch.device("meta"):
        network = AdaptedBeats(**arguments("models", all_recipes("models")["beats_adapted"]))
        network.grow({"classes": [str(number) for number in range(116)]})
    plain = [p.numel() for p in network.parameters() if not p.requires_grad]
    assert sum(plain) == 90_311_792
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 5_543_568
