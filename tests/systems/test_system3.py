"""System 3 at the sizes of the demo: its networks learn more than the mean spectrum."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from helpers.condition_clips import condition_clips
from helpers.registry_toys import ROOT, all_recipes

from asdlib.models import MODELS
from asdlib.planning.costs import Costs
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.workflow.arguments import arguments
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS
from asdlib.workflow.recipes import merge

# a few clips, as real sets have
CLIPS = {("fan", str(speed), "target" if speed == 3 else "source"): 10 for speed in range(4)}
AUTOENCODERS = ["conditional_ae", "unconditional_ae", "conditional_dense_ae"]  # conditional_ae_256 is the first here


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_the_demo_trains_an_autoencoder_until_it_beats_the_mean_spectrum(name: str, tmp_path: Path) -> None:
    """Bands are standardised: predicting the mean of each has a mean squared error of 1."""
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())["override"]["models"]
    recipe = merge(all_recipes("models")[name], demo[name])
    clips = condition_clips(CLIPS, frames=160)
    torch.manual_seed(0)
    network = MODELS[recipe["kind"]](**arguments("models", recipe))
    network.grow(network.survey(clips))
    trainer = Trainer(Training(**recipe["training"]), 0, torch.device("cpu"), tmp_path / "state", "identity")
    trainer.launch()
    _, epochs = trainer.train(network, network.examples(clips), len(clips.table))
    assert epochs[-1].validation_loss < 0.6


def test_a_small_separator_takes_the_place_of_the_large_one_with_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the augmentation that models learn from. What it costs is known: less than a tenth."""
    monkeypatch.chdir(ROOT)
    change = {"separators": {"conv_tasnet": "conv_tasnet_small"}}
    graph = Graph(read_config([], [f"override={json.dumps(change)}"]), ROOT)
    small = graph.recipes.resolve("separators", "conv_tasnet_small", 13711)
    for variant in graph.variants_of("system3"):
        for branch in variant.branches:
            assert list(branch.views) == [f"separated/{small.key}"]
            (copies,) = filter(None, branch.model.settings["views"].values())
            assert copies["separator"] == small.settings
    costs = Costs(ROOT / COSTS, change)
    table = yaml.safe_load((ROOT / COSTS).read_text())["recipes"]["separators"]
    assert 10 * costs.of(small)["train"] < table["conv_tasnet"]["train"]
    assert 10 * costs.of(small)["gflop"][0] < table["conv_tasnet"]["gflop"][0]
