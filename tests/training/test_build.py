"""Building networks and restoring them from checkpoints."""

from pathlib import Path

import pytest
import torch
from helpers.model_clips import clips
from torch import Tensor, nn

from asdlib.examples.clips import Clips
from asdlib.models import MODELS
from asdlib.training.build import build_model, restore_model, start
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe

SETTINGS = {"name": "grown", "kind": "growing", "width": 3, "seed": 0}


class Growing(nn.Module):
    """A network with one output per training clip."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def survey(self, clips: Clips) -> dict:
        return {"outputs": len(clips.table), "names": clips.column("domain")}

    def grow(self, facts: dict) -> None:
        self.layer = nn.Linear(self.width, facts["outputs"])
        self.names = facts["names"]


class Partial(Growing):
    """A network that starts from the bias of a checkpoint only."""

    def start_from(self, checkpoint: Checkpoint) -> None:
        self.layer.bias = nn.Parameter(checkpoint.weights["layer.bias"])


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Clips:
    monkeypatch.setitem(MODELS, "growing", Growing)
    return clips(torch.zeros(4, 2, 3), [2] * 4, ["source", "source", "target", "target"])


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_restored_network_has_grown_to_the_same_shape(training: Clips, tmp_path: Path) -> None:
    network, facts = build_model(Recipe("models", SETTINGS), training)
    assert network.layer.weight.shape == (4, 3)
    checkpoints.save(tmp_path / "model.safetensors", Checkpoint(SETTINGS, network.state_dict(), facts=facts))
    restored = restore_model(checkpoints.load(tmp_path / "model.safetensors"))
    assert restored.names == ["source", "source", "target", "target"]
    assert same(network, restored)
    assert not restored.training


def test_a_network_starts_from_all_weights_or_from_those_it_takes(training: Clips) -> None:
    given, _ = build_model(Recipe("models", SETTINGS), training)
    checkpoint = Checkpoint(SETTINGS, given.state_dict())
    whole, _ = build_model(Recipe("models", SETTINGS), training)
    start(whole, checkpoint)
    assert same(whole, given)
    partial = Partial(3)
    partial.grow(partial.survey(training))
    start(partial, checkpoint)
    assert torch.equal(partial.layer.bias, given.layer.bias)
    assert not torch.equal(partial.layer.weight, given.layer.weight)


def test_weights_that_do_not_fit_are_refused(training: Clips) -> None:
    given, _ = build_model(Recipe("models", SETTINGS), training)
    weights: dict[str, Tensor] = {"layer.weight": given.layer.weight}
    with pytest.raises(RuntimeError, match=r"layer\.bias"):
        start(given, Checkpoint(SETTINGS, weights))


def test_the_same_checkpoint_is_the_same_bytes(training: Clips, tmp_path: Path) -> None:
    network, facts = build_model(Recipe("models", SETTINGS), training)
    for name in "abcdefgh":
        checkpoints.save(tmp_path / name, Checkpoint(SETTINGS, network.state_dict(), {"mse": torch.ones(3)}, facts))
    assert len({(tmp_path / name).read_bytes() for name in "abcdefgh"}) == 1
