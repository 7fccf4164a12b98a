"""System 3 at the sizes of the demo: its networks learn more than the mean spectrum."""

from pathlib import Path

import pytest
import torch
from helpers.condition_clips import condition_clips
from helpers.registry_toys import ROOT, all_recipes

from asdlib.models import MODELS
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.workflow.arguments import arguments
from asdlib.workflow.recipes import merge
from asdlib.workflow.yaml_files import read_yaml

# a few clips, as real sets have
CLIPS = {("fan", str(speed), "target" if speed == 3 else "source"): 10 for speed in range(4)}
AUTOENCODERS = ["conditional_ae", "unconditional_ae", "conditional_dense_ae"]  # conditional_ae_256 is the first here


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_the_demo_trains_an_autoencoder_until_it_beats_the_mean_spectrum(name: str, tmp_path: Path) -> None:
    """Bands are standardised: predicting the mean of each has a mean squared error of 1."""
    demo = read_yaml(ROOT / "config" / "demo.yaml")["override"]["models"]
    recipe = merge(all_recipes("models")[name], demo[name])
    clips = condition_clips(CLIPS, frames=160)
    torch.manual_seed(0)
    network = MODELS[recipe["kind"]](**arguments("models", recipe))
    network.grow(network.survey(clips))
    trainer = Trainer(Training(**recipe["training"]), 0, torch.device("cpu"), tmp_path / "state", "identity")
    trainer.launch()
    _, epochs = trainer.train(network, network.examples(clips), len(clips.table))
    assert epochs[-1].validation_loss < 0.6
