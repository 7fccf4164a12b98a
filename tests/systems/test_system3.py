"""System 3 at the sizes of the demo: its networks learn more than the mean spectrum."""

from pathlib import Path

import pytest
import torch
from helpers.condition_clips import condition_clips
from helpers.registry_toys import ROOT, all_recipes
from torch import nn

from asdlib.models import MODELS
from asdlib.training.batches import Batches, Examples, split_recordings
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
    before = held_out_loss(network, network.examples(clips), trainer.settings)
    trainer.train(network, network.examples(clips), len(clips.table))
    after = held_out_loss(network, network.examples(clips), trainer.settings)
    assert before > 0.8
    assert after < 0.2


@torch.no_grad()
def held_out_loss(network: nn.Module, examples: Examples, settings: Training) -> float:
    """Return the loss of the recordings that were held out, with the weights and statistics that embed clips.

    The validation losses of a short training have unsettled batch norms instead.
    """
    network.eval()
    share, most = settings.validation, settings.validation_recordings
    _, held_out = split_recordings(examples.recordings, examples.target, share, most, seed=0)
    batches = Batches(examples, held_out, len(held_out), torch.device("cpu"))
    return float(torch.stack([network.loss(batch) for batch in batches]).mean())
