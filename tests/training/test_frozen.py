"""Frozen networks: their outputs are computed once, and nothing is computed backwards below the first adapter."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.system4_models import AUDIOMAE, BEATS, FUSION, TUNED, begun, clips
from torch import Tensor, nn

from asdlib.training.frozen import embedded_once
from asdlib.training.job import Job, Task, fit
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.workflow.recipe import Recipe

GIVEN = clips(("fan", "pump", "valve", "slider"))  # eight clips
SETTINGS = Training(epochs=3, batch_size=4, learning_rate=0.01, validation=0.5)


def trained(settings: dict, folder: Path, once: bool) -> tuple[list[float], dict[str, Tensor], int]:
    """Return the losses, the weights and the number of clips that the encoder saw."""
    torch.manual_seed(0)
    network = begun(settings, GIVEN)
    seen = []
    network.encoder.register_forward_hook(lambda *passed: seen.append(len(passed[-1])))
    trainer = Trainer(SETTINGS, 5, torch.device("cpu"), folder / f"{once}.ckpt", "x")
    examples = network.examples(GIVEN)
    if once:
        examples = embedded_once(network, examples, trainer.fabric, SETTINGS.batch_size)
    _, epochs = trainer.train(network, examples, len(GIVEN.table))
    losses = [value for epoch in epochs for value in (epoch.loss, epoch.validation_loss, epoch.metrics["accuracy"])]
    return losses, {name: weight.clone() for name, weight in network.state_dict().items()}, sum(seen)


def test_a_frozen_encoder_sees_each_clip_once_and_learns_the_same_to_the_last_digit(tmp_path: Path) -> None:
    frozen = {**AUDIOMAE, "frozen": True}
    losses, weights, seen = trained(frozen, tmp_path, once=True)
    plain_losses, plain_weights, plain_seen = trained(frozen, tmp_path, once=False)
    assert losses == plain_losses
    assert all(torch.equal(weights[name], plain_weights[name]) for name in plain_weights)
    assert (seen, plain_seen > 8) == (8, True)


@pytest.mark.parametrize("settings", [AUDIOMAE, {**AUDIOMAE, **TUNED}, {**BEATS, "frozen": True}])
def test_what_learns_or_is_pooled_by_what_learns_is_computed_in_every_epoch(settings: dict, tmp_path: Path) -> None:
    network = begun(settings, GIVEN)
    examples = network.examples(GIVEN)
    trainer = Trainer(SETTINGS, 5, torch.device("cpu"), tmp_path / "x.ckpt", "x")
    assert embedded_once(network, examples, trainer.fabric, 4) is examples


def test_the_last_batch_is_filled_and_clips_keep_their_order(tmp_path: Path) -> None:
    network = begun({**AUDIOMAE, "frozen": True}, GIVEN)
    trainer = Trainer(SETTINGS, 5, torch.device("cpu"), tmp_path / "x.ckpt", "x")
    examples = embedded_once(network, network.examples(GIVEN), trainer.fabric, 3)
    whole = network.examples(GIVEN).batch(torch.arange(8))
    with torch.no_grad():
        expected = network.eval().frozen_part(whole)
    torch.testing.assert_close(examples.batch(torch.arange(8)).features, expected)
    assert torch.equal(examples.batch(torch.tensor([5])).labels, whole.labels[5:6])


@pytest.mark.parametrize(
    "settings", [{**AUDIOMAE, **TUNED}, {**BEATS, **TUNED}, {**FUSION, "pooling": "mean"}], ids=["mae", "beats", "both"]
)
def test_nothing_is_computed_backwards_below_the_first_adapter(settings: dict) -> None:
    """The first query and key projections have adapters; patches and positions below them have no gradient."""
    network = begun({**settings, "depth": 2}, GIVEN).train()
    learning, plain = [], []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda one, _, out: plain.append(out.requires_grad))
        elif "lora" in type(module).__module__ or hasattr(module, "lora_A"):
            module.register_forward_hook(lambda one, given, out: learning.append((given[0].requires_grad, out)))
    features = GIVEN.features if "pooling" not in settings else torch.stack([GIVEN.features] * 2, dim=2)
    batch = network.examples(replace(GIVEN, features=features)).batch(torch.arange(8))
    network.loss(batch).backward()
    assert len(plain) > 0
    assert not any(plain)
    assert learning[0][0] is False  # the input of the first adapter has no graph
    assert learning[0][1].requires_grad
    frozen = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    assert all(network.get_parameter(name).grad is None for name in frozen)
    assert len(frozen) > 20


def test_a_training_job_computes_frozen_outputs_once(tmp_path: Path) -> None:
    training = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01}
    settings = {**AUDIOMAE, "frozen": True, "training": training, "seed": 1}
    network, seen = begun(settings, GIVEN), []
    network.encoder.register_forward_hook(lambda *passed: seen.append(len(passed[-1])))
    files = tmp_path / "model.safetensors", tmp_path / "history.csv"
    task = Task(network, network.examples(GIVEN), len(GIVEN.table), {"classes": network.classes})
    fit(Job(Recipe("models", settings), "", [], *files, torch.device("cpu")), lambda: task)
    assert sum(seen) == len(GIVEN.table)
