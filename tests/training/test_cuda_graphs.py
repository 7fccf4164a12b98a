"""Gradients replayed as CUDA graphs: a training that records them ends with the same weights."""

import gc
import logging
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.model_toys import built, toy_clips, toy_of
from helpers.points import Points
from helpers.recorded import recorder
from helpers.registry_toys import ROOT, all_recipes
from helpers.separation_toys import RATE, hiss, hum, toy_separator
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.settings import Pairs
from asdlib.training import cuda_graphs, gradients, trainer
from asdlib.training.batches import Examples
from asdlib.training.cuda_graphs import EAGER, FEWEST, Replay, can_record
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.workflow.yaml_files import read_yaml

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SETTINGS = Training(epochs=3, batch_size=4, learning_rate=0.01, validation=0.1, clip_norm=1.0)
POINTS = 121  # 109 to train on: 27 batches of four, and the last one of five


class Toy(nn.Module):
    """A network with dropout, batch norm and, if `counting`, a number in Python that changes with every loss."""

    def __init__(self, counting: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 4))
        self.counting, self.seen, self.epoch = counting, 0, 0

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        self.epoch = epoch

    def loss(self, batch: Batch) -> Tensor:
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        self.seen += self.counting
        found = self.layers(batch.features)
        error = (found - batch.features).square().mean() * (1 + self.seen)
        return {"error": error, "size": found.square().mean() * 0.1 * self.epoch}


def trained(
    folder: Path, network: nn.Module, examples: Examples, monkeypatch: pytest.MonkeyPatch | None, **changes
) -> tuple[dict[str, Tensor], list, int]:
    """Return the weights, the epochs, and how many batches were replayed; none without `monkeypatch`."""
    replayed = []
    if monkeypatch:
        monkeypatch.setattr(trainer, "can_record", lambda *_: True)
        monkeypatch.setattr(cuda_graphs, "recorded", recorder(network))
        terms = Replay.terms
        monkeypatch.setattr(Replay, "terms", lambda self, batch: replayed.append(batch) or terms(self, batch))
    settings = Training(**{**vars(SETTINGS), **changes})
    _, epochs = Trainer(settings, 7, CPU, folder / "training.ckpt", "this").train(network, examples, clips=50)
    return network.state_dict(), epochs, len(replayed)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def toy(counting: bool = False) -> Toy:
    torch.manual_seed(0)
    return Toy(counting)


@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_the_weights_and_the_log_are_those_of_the_usual_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip_norm: float | None
) -> None:
    usual, epochs, _ = trained(tmp_path / "a", toy(), Points(POINTS), None, clip_norm=clip_norm)
    weights, again, replayed = trained(tmp_path / "b", toy(), Points(POINTS), monkeypatch, clip_norm=clip_norm)
    assert replayed == 3 * (26 - EAGER)  # of 27 batches an epoch, the last has another size
    assert same(usual, weights)
    logs = [[(one.loss, one.validation_loss, one.terms) for one in log] for log in (epochs, again)]
    assert logs[0] == logs[1]


def test_what_python_computes_is_repeated_and_would_change_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, _, _ = trained(tmp_path / "a", toy(counting=True), Points(POINTS), None)
    weights, _, _ = trained(tmp_path / "b", toy(counting=True), Points(POINTS), monkeypatch)
    assert not same(usual, weights)


def test_no_graph_outlives_its_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the memory of a step; Python's search for garbage, which comes late, must not be needed to free it."""
    graphs: list[weakref.ref] = []
    record, agreed, alive = Replay._record, trainer.agreed_loss, []

    def recording(self: Replay, batch: Batch) -> None:
        record(self, batch)
        graphs.append(weakref.ref(self))

    def watching(*arguments) -> tuple:
        alive.append(sum(graph() is not None for graph in graphs))
        return agreed(*arguments)

    monkeypatch.setattr(Replay, "_record", recording)
    monkeypatch.setattr(trainer, "agreed_loss", watching)
    gc.disable()
    try:
        trained(tmp_path, toy(), Points(POINTS), monkeypatch)
    finally:
        gc.enable()
    assert len(graphs) == SETTINGS.epochs
    assert alive == [0] * SETTINGS.epochs


def test_a_batch_of_another_size_type_or_value_is_not_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record would read its numbers as others, and repeats what Python computed from its values."""
    network, examples = toy(), Points()

    def compute(batch: Batch) -> dict[str, Tensor]:
        terms = network.terms(batch)
        sum(terms.values()).backward()
        return {name: term.detach() for name, term in terms.items()}

    monkeypatch.setattr(cuda_graphs, "recorded", recorder(network))
    replay, batch = Replay(network, compute), examples.batch(torch.arange(4))
    assert [replay.takes(batch) for _ in range(EAGER + 2)] == [False] * EAGER + [True, True]
    others = replace(batch, features=batch.features.double()), replace(batch, origins=[])
    assert not any(replay.takes(other) for other in (examples.batch(torch.arange(3)), *others))
    assert replay.takes(examples.batch(torch.arange(4, 8)))


def test_short_epochs_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for steps, replayed in ((FEWEST - 1, 0), (FEWEST, 3 * (FEWEST - EAGER))):
        found = trained(tmp_path / str(steps), toy(), Points(), monkeypatch, steps_per_epoch=steps, validation=0.0)
        assert found[2] == replayed


def recording(registry: str) -> list[str]:
    """Return the kinds of the recipes that are recorded by default."""
    blocks = [*all_recipes(registry).values(), *read_yaml(ROOT / "config" / "shared.yaml").get(registry, {}).values()]
    return sorted({block["kind"] for block in blocks if block.get("training", {}).get("cuda_graph")})


def test_some_recipes_are_recorded() -> None:
    assert recording("models")
    assert recording("separators")


def looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `one_hot` not look at its labels, which it does on a CPU alone."""

    def one_hot(labels: Tensor, classes: int) -> Tensor:
        return (labels[..., None] == torch.arange(classes, device=labels.device)).long()

    monkeypatch.setattr(functional, "one_hot", one_hot)


@pytest.mark.parametrize("kind", recording("models"))
def test_every_recorded_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    looks_at_nothing(monkeypatch)
    clips = toy_clips(toy_of(kind)[1])
    found = []
    for patch in (None, monkeypatch):
        network = built(kind, clips)
        found.append(
            trained(tmp_path / str(patch), network, network.examples(clips), patch, steps_per_epoch=FEWEST, epochs=2)
        )
    (usual, _, _), (weights, _, replayed) = found
    assert replayed == 2 * (FEWEST - EAGER)
    assert same(usual, weights)


@pytest.mark.parametrize("kind", recording("separators"))
def test_every_recorded_separator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(gradients, "FEWEST", 8)
    rng = np.random.default_rng(0)
    sounds = [[make(rng, 0.5) for _ in range(6)] for make in (hum, hiss)]
    pairs = Pairs(segment=0.15, per_epoch=2 * 8, validation=0.2, validation_mixtures=2)
    found = []
    for patch in (None, monkeypatch):
        examples = MixturePairs(*sounds, pairs, RATE, 1)
        with torch.backends.mkldnn.flags(enabled=kind != "tfgridnet"):  # the stand-in cannot repeat oneDNN's LSTM
            found.append(trained(tmp_path / str(patch), toy_separator(kind), examples, patch, epochs=1, batch_size=2))
    (usual, _, _), (weights, _, replayed) = found
    assert replayed == 8 - EAGER
    assert same(usual, weights)


class Unrecordable(Toy):
    """A network whose loss does what a graph cannot repeat."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.register_buffer("mean", torch.zeros(()))

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        if self.fault == "draw":
            return {"loss": super().terms(batch)["error"] * np.random.rand()}  # noqa: NPY002 (the global generator)
        if self.fault == "buffer":
            self.mean = batch.features.mean().detach()
        if self.fault == "look":
            return {"loss": super().terms(batch)["error"] * float(batch.features.max())}
        return super().terms(batch)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("draw", "draws numbers on the CPU or replaces buffers"),
        ("buffer", "draws numbers on the CPU or replaces buffers"),
        ("look", r"this network cannot be recorded \(.*looks at a value.*\): set training.cuda_graph to false"),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    with pytest.raises(AsdError, match=rf"training\.cuda_graph: .*{message}"):
        trained(tmp_path, Unrecordable(fault), Points(POINTS), monkeypatch)


@pytest.mark.parametrize("ends", [True, False])
def test_with_too_little_memory_for_a_graph_the_training_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ends: bool
) -> None:
    """A record that failed has left gradients that were never computed, and CUDA may not be able to end it."""
    usual, usual_epochs, _ = trained(tmp_path / "usual", toy(), Points(POINTS), None)
    network = toy()

    def full(_: object) -> None:
        for weight in network.parameters():
            weight.grad = torch.full_like(weight, 1e9)
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            if not ends:
                raise torch.AcceleratorError("CUDA error: operation failed due to a previous error during capture")

    monkeypatch.setattr(trainer, "can_record", lambda *_: True)
    monkeypatch.setattr(cuda_graphs, "recorded", full)
    weights, epochs, _ = trained(tmp_path / "full", network, Points(POINTS), None)
    assert same(usual, weights)
    assert [(epoch.loss, epoch.terms) for epoch in epochs] == [(epoch.loss, epoch.terms) for epoch in usual_epochs]
    said = [record.message for record in caplog.records if "CUDA graph" in record.message]
    assert (
        said == ["no CUDA graph is used in this epoch: the GPU's memory is too small to record one"] * SETTINGS.epochs
    )


@pytest.mark.parametrize(
    ("changes", "part", "warned"),
    [
        ({}, None, ""),
        ({}, 4, ""),  # micro_batch: auto, where the whole batch fits
        ({}, 2, "training.micro_batch"),
        ({"accumulate": 2}, None, "training.accumulate"),
        ({"devices": 2}, None, "training.devices"),
    ],
)
def test_whole_steps_of_one_gpu_are_recorded(
    caplog: pytest.LogCaptureFixture, changes: dict, part: int | None, warned: str
) -> None:
    settings = Training(**{**vars(SETTINGS), "cuda_graph": True, **changes})
    with caplog.at_level(logging.WARNING):
        assert not can_record(toy(), settings, CPU, part)
        assert not can_record(toy(), SETTINGS, GPU, part)
        assert not caplog.records
        assert can_record(toy(), settings, GPU, part) is (not warned)
    assert warned in caplog.text
    assert bool(caplog.records) is bool(warned)


def gathering() -> Toy:
    """Return a network of which a layer gathers something in an epoch."""
    network = toy()
    network.layers[0].epoch_state = list
    return network


@pytest.mark.parametrize("kind", ["eat", "dismae", "gathering"])
def test_a_network_that_acts_between_steps_is_refused(kind: str) -> None:
    network = gathering() if kind == "gathering" else built(kind, toy_clips(toy_of(kind)[1]))
    settings = Training(**{**vars(SETTINGS), "cuda_graph": True})
    assert not can_record(network, settings, CPU, None)
    with pytest.raises(AsdError, match=r"training\.cuda_graph: a graph does not follow what this network does"):
        can_record(network, settings, GPU, None)
