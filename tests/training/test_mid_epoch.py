"""A training that is killed in the middle of an epoch ends like an unbroken one, on a CPU to the last bit."""

import logging
import os
import random
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.killed_trainings import killed_after
from helpers.model_toys import TRAINED, built, toy_clips, toy_of
from helpers.separation_toys import RATE, hiss, hum
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.settings import Pairs
from asdlib.separators import SEPARATORS
from asdlib.training import epoch_so_far
from asdlib.training.job import Job, Task, fit
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.weights import checkpoints
from asdlib.workflow.recipe import Recipe

SETTINGS = Training(epochs=2, batch_size=4, learning_rate=0.01, steps_per_epoch=3)
CONV_TASNET = {"n_filters": 8, "n_blocks": 2, "n_repeats": 1, "bn_chan": 4, "hid_chan": 8, "skip_chan": 4}


class Drawing(nn.Module):
    """A network with dropout, batch norm, a mean of its own, and draws from every global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 4))
        self.register_buffer("mean", torch.zeros(8, 4))
        self.gathered: list[float] = []

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        share = np.random.beta(2, 2) * random.random() if self.training else 1.0  # noqa: NPY002
        guess = self.layers(share * batch.features)
        if self.training:
            self.gathered.append(share)
        return {"error": (guess - batch.features).square().mean(), "size": 0.1 * guess.square().mean()}

    def loss(self, batch: Batch) -> Tensor:
        return sum(self.terms(batch).values())

    def after_step(self, step: int, steps: int) -> None:
        self.mean.lerp_(self.layers[0].weight.detach(), 0.5)

    def epoch_metrics(self) -> dict[str, float]:
        shares, self.gathered = self.gathered, []
        return {"share": float(np.mean(shares))}

    def epoch_state(self) -> list[float]:
        return list(self.gathered)

    def restore_epoch(self, state: list[float]) -> None:
        self.gathered = list(state)


class Points:
    """Examples that are redrawn in every epoch."""

    def __init__(self) -> None:
        self.validation = self
        self.begin_epoch(0)

    def __len__(self) -> int:
        return 21

    def begin_epoch(self, epoch: int) -> None:
        self.values = torch.randn(21, 4, generator=torch.Generator().manual_seed(epoch))

    def batch(self, indices: Tensor) -> Batch:
        return Batch(self.values[indices], torch.ones(len(indices)), torch.zeros(len(indices), dtype=torch.bool))


@dataclass(frozen=True)
class Case:
    """A training: what returns its network and examples, its settings, and how much is done when it is killed.

    Its state is stored after so many `minutes`, by default after every step.
    """

    make: Callable[[], tuple[nn.Module, Any]]
    settings: Training = SETTINGS
    done: int = 2  # batches
    epochs: int = 1  # before these
    minutes: float | None = 0


def of_kind(kind: str) -> Callable[[], tuple[nn.Module, Any]]:
    def make() -> tuple[nn.Module, Any]:
        clips = toy_clips(toy_of(kind)[1])
        network = built(kind, clips)
        return network, network.examples(clips)

    return make


def separation() -> tuple[nn.Module, Any]:
    rng = np.random.default_rng(0)
    sounds, noises = ([draw(rng, 0.5) for _ in range(6)] for draw in (hum, hiss))
    pairs = Pairs(segment=0.25, per_epoch=12, validation=0.34, validation_mixtures=4)
    return SEPARATORS["conv_tasnet"](**CONV_TASNET), MixturePairs(sounds, noises, pairs, RATE, 1)


def drawing() -> tuple[nn.Module, Any]:
    return Drawing(), Points()


CASES = {
    "draws": Case(drawing),
    "accumulated": Case(drawing, replace(SETTINGS, accumulate=2), done=4),
    "a short last step": Case(drawing, replace(SETTINGS, accumulate=4, steps_per_epoch=None), done=4),
    "the last step of an epoch": Case(drawing, done=3),
    "schedules": Case(drawing, replace(SETTINGS, epochs=3, schedule="cosine", warmup_epochs=1.5, clip_norm=0.1)),
    "early stop": Case(drawing, replace(SETTINGS, epochs=4, schedule="plateau", patience=1, early_stop=1)),
    "mixtures": Case(separation, replace(SETTINGS, steps_per_epoch=None)),
    **{kind: Case(of_kind(kind), replace(SETTINGS, batch_size=2, epochs=1), epochs=0) for kind in TRAINED},
    "audiomae_adaptation": Case(  # slow: its clips have 1024 frames, whatever the toy's size
        of_kind("audiomae_adaptation"), replace(SETTINGS, batch_size=1, steps_per_epoch=2, epochs=1), done=1, epochs=0
    ),
}


def trained(case: Case, folder: Path) -> tuple[dict[str, Tensor], list[dict]]:
    """Return the weights, buffers and calibration of a training, and its log without times."""
    torch.manual_seed(0)
    network, examples = case.make()
    trainer = Trainer(case.settings, 7, torch.device("cpu"), folder / "training.ckpt", "this", case.minutes)
    calibration, epochs = trainer.train(network, examples, len(examples))
    log = [asdict(replace(epoch, seconds=0.0, clips_per_second=0.0)) for epoch in epochs]
    return {**network.state_dict(), **{f"calibration {name}": one for name, one in calibration.items()}}, log


@pytest.mark.parametrize("name", CASES)
def test_killed_in_mid_epoch_is_as_unbroken(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    case = CASES[name]
    whole, log = trained(replace(case, minutes=None), tmp_path / "whole")
    with killed_after(case.epochs, case.done):
        trained(case, tmp_path / "killed")
    with caplog.at_level(logging.INFO, "asdlib.training"):
        resumed, log_again = trained(case, tmp_path / "killed")
    assert f"resuming after epoch {case.epochs} and {case.done} batches of the next" in caplog.text
    assert whole.keys() == resumed.keys()
    assert [one for one in whole if not torch.equal(whole[one], resumed[one])] == []
    assert log == log_again


def test_how_often_the_state_is_stored_decides_neither_the_result_nor_whether_it_is_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training = {"epochs": 2, "batch_size": 4, "learning_rate": 0.01}
    recipe = Recipe("models", {"name": "drawing", "kind": "drawing", "seed": 7, "training": training})

    def fitted(folder: str, minutes: float | None) -> dict[str, Tensor]:
        (tmp_path / folder).mkdir(exist_ok=True)
        files = tmp_path / folder / "model.safetensors", tmp_path / folder / "training.csv"
        fit(Job(recipe, "code", [], *files, torch.device("cpu"), minutes), lambda: Task(*drawing(), 21))
        return checkpoints.load(files[0]).weights

    unbroken = fitted("unbroken", None)
    with killed_after(0, 2):
        fitted("killed", 0)
    with caplog.at_level(logging.INFO, "asdlib.training"):
        resumed = fitted("killed", None)
    assert "resuming after epoch 0 and 2 batches of the next" in caplog.text
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


def test_what_was_done_is_not_read_again(tmp_path: Path) -> None:
    read = []

    class Listening(Points):
        def batch(self, indices: Tensor) -> Batch:
            read.append(len(indices))
            return super().batch(indices)

    case = Case(lambda: (Drawing(), Listening()), replace(SETTINGS, epochs=1, steps_per_epoch=5), done=3)
    with killed_after(0, 3):
        trained(case, tmp_path)
    read.clear()
    trained(case, tmp_path)
    assert read[:2] == [4, 4]
    watched = 5  # batches of the 21 examples; then those of the training for `batch_norm.settle`
    assert len(read) == 2 + watched + 5


def test_a_resumed_epoch_knows_the_time_and_the_gradients_before_it_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(epoch_so_far, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    killed = epoch_so_far.EpochSoFar(4, 2, torch.device("cpu"))
    killed.norms[0] = torch.nan  # `refuse_diverged` looks at them after the epoch
    now.seconds = 130.0
    content = killed.content(nn.Linear(1, 1))
    now.seconds = 5000.0
    resumed = epoch_so_far.EpochSoFar(4, 2, torch.device("cpu"))
    resumed.restore(content, nn.Linear(1, 1))
    now.seconds = 5012.0
    assert resumed.seconds == 42.0
    assert resumed.norms.isnan().tolist() == [True, False]


@pytest.mark.parametrize("minutes", [None, 5.0])
def test_the_state_is_stored_in_mid_epoch_when_it_is_time_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float | None
) -> None:
    from asdlib.training import state

    clock = iter(range(0, 100_000, 100))  # each look at the clock is 100 s after the one before
    monkeypatch.setattr(state.time, "monotonic", lambda: float(next(clock)))
    stored = []
    keep = state.StoredState.keep
    monkeypatch.setattr(
        state.StoredState, "keep",
        lambda self, model, optimizer, now: (
            stored.append(now.under_way[0]["done"] if now.under_way else "epoch"), keep(self, model, optimizer, now),
        ),
    )  # fmt: skip
    trained(Case(drawing, replace(SETTINGS, epochs=1, steps_per_epoch=9), minutes=minutes), tmp_path)
    assert stored[-1] == "epoch"
    assert bool(stored[:-1]) == (minutes is not None)


class Signalled(Points):
    """Examples in whose third batch a signal comes."""

    def __init__(self, number: signal.Signals, times: int = 1) -> None:
        super().__init__()
        self.validation = Points()
        self._left, self._number, self._times = 3, number, times

    def batch(self, indices: Tensor) -> Batch:
        self._left -= 1
        for _ in range(self._times if not self._left else 0):
            os.kill(os.getpid(), self._number)
        return super().batch(indices)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_training_after_its_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    settings = replace(SETTINGS, accumulate=2)
    whole = trained(Case(drawing, settings, minutes=None), tmp_path / "whole")
    stopped = Case(lambda: (Drawing(), Signalled(number)), settings, minutes=None)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit) as end:
        trained(stopped, tmp_path / "stopped")
    if number != signal.SIGINT:
        assert end.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert f"{number.name}: the training is stored and ends" in caplog.text
    with caplog.at_level(logging.INFO, "asdlib.training"):
        again = trained(Case(drawing, settings, minutes=None), tmp_path / "stopped")
    assert "resuming after epoch 0 and 4 batches of the next" in caplog.text
    assert again[1] == whole[1]
    assert all(torch.equal(again[0][name], whole[0][name]) for name in whole[0])


def test_a_signal_among_the_held_out_examples_ends_a_training_after_its_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    examples = Points()
    examples.validation = Signalled(signal.SIGTERM)
    with pytest.raises(SystemExit):
        trained(Case(lambda: (Drawing(), examples), minutes=None), tmp_path)
    with caplog.at_level(logging.INFO, "asdlib.training"):
        trained(Case(drawing, minutes=None), tmp_path)
    assert "resuming after epoch 1" in caplog.text
    assert "batches of the next" not in caplog.text


def test_a_second_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    case = Case(lambda: (Drawing(), Signalled(signal.SIGINT, times=2)), minutes=None)
    with pytest.raises(KeyboardInterrupt):
        trained(case, tmp_path)
    assert not (tmp_path / "training.ckpt").exists()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trained(Case(lambda: (Drawing(), Signalled(signal.SIGHUP))), tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
