"""Batches on their way to the device: fetched one ahead or not, from features on the device or not."""

import logging
import random
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.model_toys import TRAINED, built, toy_clips, toy_of
from helpers.waits import META
from torch import Tensor

from asdlib.examples.clips import Batch, Clips, take
from asdlib.examples.seeding import seed_everything
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.settings import Pairs
from asdlib.training import feed
from asdlib.training.batches import Batches
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
PIECES = [torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([3, 4])]


def separator_examples() -> MixturePairs:
    rng = np.random.default_rng(0)
    recordings = [rng.integers(-9000, 9000, 4000).astype(np.int16) for _ in range(6)]
    pairs = Pairs(segment=0.1, per_epoch=8, validation=0.2, validation_mixtures=2)
    return MixturePairs(recordings[:3], recordings[3:], pairs, 8000, 1)


def examples_of(kind: str):
    if kind == "separators":
        return separator_examples()
    clips = toy_clips(toy_of(kind)[1])
    return built(kind, clips).examples(Clips(clips.table, clips.features.half()))


@pytest.mark.parametrize("kind", [*TRAINED, "separators"])
def test_a_batch_draws_from_no_global_generator(kind: str) -> None:
    """Otherwise a batch that is fetched ahead would change what the network draws."""
    examples = examples_of(kind)
    seed_everything(1, 1)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    examples.batch(torch.arange(min(2, len(examples))))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


@pytest.mark.parametrize("kind", ["eat", "dismae", "conditional_autoencoder", "dense_autoencoder"])
def test_a_training_that_fetches_ahead_has_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """These networks draw masks or dropout from the global generator while the next batch is made."""
    found = []
    for ahead in (False, True):
        monkeypatch.setattr(feed, "fetches_ahead", lambda *_, ahead=ahead: ahead)
        monkeypatch.setattr(feed, "pinned", lambda batch: batch)
        clips = toy_clips(toy_of(kind)[1])
        network = built(kind, clips)
        settings = Training(epochs=2, batch_size=1 if kind == "dismae" else 3, learning_rate=0.01)
        trainer = Trainer(settings, 0, CPU, tmp_path / str(ahead) / "training.ckpt", "toy")
        _, epochs = trainer.train(network, network.examples(Clips(clips.table, clips.features.half())), 16)
        found.append((network.state_dict(), [epoch.loss for epoch in epochs]))
    (weights, losses), (others, other_losses) = found
    assert losses == other_losses
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_next_batch_is_made_while_the_last_one_is_used() -> None:
    started = [threading.Event() for _ in PIECES]

    def make(piece: Tensor) -> int:
        started[int(piece[0]) // 2 + (int(piece[0]) == 3)].set()
        return int(piece[0])

    batches = feed.made_ahead(make, PIECES)
    assert next(batches) == 0
    assert started[1].wait(5)
    assert not started[2].is_set()  # one ahead, no more
    assert list(batches) == [2, 3]
    assert list(feed.made_ahead(make, [])) == []


def test_an_error_of_the_thread_is_the_trainings() -> None:
    batches = feed.made_ahead(lambda piece: 1 // int(piece[0]), [torch.tensor([1]), torch.tensor([0])])
    assert next(batches) == 1
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_a_training_that_stops_ends_its_thread() -> None:
    before = threading.active_count()
    batches = feed.made_ahead(lambda piece: piece, PIECES)
    next(batches)
    batches.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("ahead", [True, False])
def test_batches_are_pinned_if_they_are_fetched_ahead(monkeypatch: pytest.MonkeyPatch, ahead: bool) -> None:
    made = []
    monkeypatch.setattr(feed, "fetches_ahead", lambda *_: ahead)
    monkeypatch.setattr(feed, "pinned", lambda batch: made.append(batch) or batch)
    examples = SimpleNamespace(batch=lambda piece: SimpleNamespace(to=lambda device: (int(piece[0]), device)))
    assert list(feed.feed(examples, PIECES, CPU)) == [(0, CPU), (2, CPU), (3, CPU)]
    assert len(made) == 3 * ahead


@pytest.mark.parametrize(("free", "stays"), [(7999, False), (8000, True)])
def test_features_stay_on_the_device_if_they_take_a_twentieth_of_its_free_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, free: int, stays: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 80_000))  # and the whole memory
    monkeypatch.setattr(Tensor, "to", lambda tensor, *_: torch.empty_like(tensor, device=META))
    examples = SimpleNamespace(features=torch.zeros(10, 20, dtype=torch.float16))  # 400 bytes
    with caplog.at_level(logging.INFO, "asdlib.training"):
        feed.keep_on_device(examples, CUDA)
    assert (examples.features.device == META) == stays
    assert ("stay on the GPU" in caplog.text) == stays
    assert feed.fetches_ahead(examples, CUDA) != stays
    assert not feed.fetches_ahead(examples, CPU)


@pytest.mark.parametrize("kind", TRAINED)
def test_batches_are_cut_from_features_on_the_device(kind: str) -> None:
    examples = examples_of(kind)
    examples.features = examples.features.to(META)
    batch = next(iter(Batches(examples, torch.arange(min(2, len(examples))), 2, META)))
    assert batch.features.device == META
    assert batch.features.dtype == torch.float32


def test_stored_features_are_converted_on_the_device() -> None:
    features = torch.randn(2, 3).half()
    sent = Batch(features, torch.ones(2), torch.ones(2)).to(META)
    assert sent.features.dtype == torch.float32
    assert torch.equal(Batch(features, torch.ones(2), torch.ones(2)).to(CPU).features, features.float())
    assert torch.equal(take(features, torch.tensor([1])), features[1:])
