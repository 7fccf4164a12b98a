"""The training loop."""

import logging
import os
import sys
from dataclasses import replace
from itertools import combinations, count, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.killed_trainings import killed_after
from helpers.points import Points
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.examples.seeding import seed_everything
from asdlib.runtime.live_line import LiveLine
from asdlib.training import epoch_so_far
from asdlib.training.batches import Batches, shuffled, split, split_recordings
from asdlib.training.fabric import Autocast, Fabric
from asdlib.training.history import Epoch, show, write_history
from asdlib.training.optimisation import build_optimizer, learning_rate, stopped
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer

CPU = torch.device("cpu")
SETTINGS = Training(epochs=4, batch_size=8, learning_rate=0.01, validation=0.2, clip_norm=1.0)


class Toy(nn.Module):
    """A network with dropout, which uses the global generator, and batch norm, which has state besides the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 4))

    def loss(self, batch: Batch) -> Tensor:
        return (self.layers(batch.features) - batch.features).square().mean()

    def finish(self, training: Batches, validation: Batches, losses: Tensor) -> dict[str, Tensor]:
        return {"losses": losses, "seen": torch.tensor([len(batch.features) for batch in training])}


def trainer(folder: Path, settings: Training = SETTINGS, seed: int = 7, identity: str = "this") -> Trainer:
    return Trainer(settings, seed, CPU, folder / "training.ckpt", identity)


def trained(folder: Path, **options) -> tuple[dict[str, Tensor], dict[str, Tensor], list]:
    torch.manual_seed(0)
    network = Toy()
    calibration, epochs = trainer(folder, **options).train(network, Points(), clips=50)
    return network.state_dict(), calibration, epochs


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    first, _, _ = trained(tmp_path / "a")
    again, _, _ = trained(tmp_path / "b")
    other, _, _ = trained(tmp_path / "c", seed=8)
    assert same(first, again)
    assert not same(first, other)


def test_the_live_line_reads_the_epochs_as_they_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asdlib.progress")
    show([Epoch(3, 0.25, 0.5, 1e-3, 100.0, 2.0)], planned=10)
    (tmp_path / "a.log").write_text(f"12:00:00 {caplog.messages[0]}\n")
    line = LiveLine(sys.stderr, total=2)
    told = {"event": "job_info", "jobid": 1, "rule_name": "train_model", "wildcards": {}, "log": [f"{tmp_path}/a.log"]}
    line.handle(logging.makeLogRecord(told))
    os.utime(tmp_path / "a.log", (2**32, 2**32))
    assert line.text().endswith("train_model: epoch 3/10, loss 0.25, 0m14s left")


def test_it_learns(tmp_path: Path) -> None:
    _, _, epochs = trained(tmp_path, settings=Training(epochs=30, batch_size=8, learning_rate=0.02))
    assert epochs[-1].loss < 0.7 * epochs[0].loss


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, done: int
) -> None:
    unbroken, calibration, epochs = trained(tmp_path / "unbroken")
    with killed_after(done):
        trained(tmp_path / "killed")
    with caplog.at_level(logging.INFO, "asdlib.training"):
        resumed, again, resumed_epochs = trained(tmp_path / "killed")
    assert f"resuming after epoch {done}" in caplog.text
    assert same(unbroken, resumed)
    assert same(calibration, again)
    assert [epoch.loss for epoch in epochs] == [epoch.loss for epoch in resumed_epochs]


def test_what_is_drawn_after_the_last_epoch_is_that_of_an_unbroken_training(tmp_path: Path) -> None:
    """The statistics of batch norm are computed anew after so short a training."""

    class Noisy(Toy):
        def loss(self, batch: Batch) -> Tensor:
            return super().loss(replace(batch, features=batch.features + torch.randn_like(batch.features)))

        def finish(self, training: Batches, validation: Batches, losses: Tensor) -> dict[str, Tensor]:
            return {"drawn": torch.rand(3)}

    def run(folder: Path) -> dict[str, Tensor]:
        torch.manual_seed(0)
        network = Noisy()
        calibration, _ = trainer(folder).train(network, Points(), clips=50)
        return network.state_dict() | calibration

    unbroken = run(tmp_path / "unbroken")
    with killed_after(SETTINGS.epochs):
        run(tmp_path / "killed")
    assert same(unbroken, run(tmp_path / "killed"))


def test_what_the_first_process_measures_decides_in_all(tmp_path: Path) -> None:
    """Otherwise one would stop early while the others wait for it, or learn at another rate."""
    one = trainer(tmp_path, Training(epochs=9, batch_size=8, learning_rate=0.01, validation=0.2, early_stop=2))
    measured = iter([(0.5, {}), (0.25, {}), (0.75, {}), (0.75, {})])
    broadcast = one.fabric.broadcast
    one.fabric.broadcast = lambda own: next(measured) if isinstance(own[1], dict) else broadcast(own)
    _, epochs = one.train(Toy(), Points(), clips=50)
    assert [epoch.validation_loss for epoch in epochs] == [0.5, 0.25, 0.75, 0.75]


def test_the_losses_are_those_of_the_epoch_whose_weights_are_kept(tmp_path: Path) -> None:
    settings = Training(epochs=9, batch_size=8, learning_rate=0.05, validation=0.2, early_stop=2)
    one = trainer(tmp_path, settings)
    measured = iter([(0.5, {}), (0.25, {}), (0.75, {}), (0.75, {})])
    broadcast = one.fabric.broadcast
    one.fabric.broadcast = lambda own: next(measured) if isinstance(own[1], dict) else broadcast(own)
    calibration, epochs = one.train(Toy(), Points(), clips=50)
    assert float(calibration["losses"].mean()) == pytest.approx(epochs[1].loss)
    assert epochs[1].loss != epochs[3].loss


@pytest.mark.parametrize("decides", [{"early_stop": 3}, {"schedule": "plateau"}, {}], ids=str)
def test_a_validation_loss_that_is_no_number_decides_nothing(tmp_path: Path, decides: dict) -> None:
    class Lost(Toy):
        def loss(self, batch: Batch) -> Tensor:
            return super().loss(batch) * (1 if self.training else torch.nan)

    given = trainer(tmp_path, Training(epochs=2, batch_size=8, learning_rate=0.01, validation=0.2, **decides))
    if not decides:
        assert len(given.train(Lost(), Points(), clips=50)[1]) == 2
        return
    with pytest.raises(AsdError, match=r"training: the validation loss is nan in epoch 1: check the held-out examples"):
        given.train(Lost(), Points(), clips=50)


@pytest.mark.parametrize("each_once", [True, False, None])
def test_a_network_can_finish_with_each_example_once(tmp_path: Path, each_once: bool | None) -> None:
    class Counting(Toy):
        if each_once is not None:
            finishes_with_each_once = each_once

        def finish(self, training: Batches, validation: Batches, losses: Tensor) -> dict[str, Tensor]:
            return {"seen": torch.cat([batch.features[:, 0] for batch in training])}

    settings = Training(epochs=1, batch_size=8, learning_rate=0.01, steps_per_epoch=10)
    seen = trainer(tmp_path, settings).train(Counting(), Points(), clips=50)[0]["seen"]
    assert len(seen) == (len(Points()) if each_once else 80)
    assert (len(seen.unique()) == len(seen)) is bool(each_once)


def test_every_epoch_and_seed_has_an_order_and_draws_of_its_own(tmp_path: Path) -> None:
    class Listening(Toy):
        def loss(self, batch: Batch) -> Tensor:
            if self.training:
                heard.append(batch.features[:, 0])
                drawn.append(torch.rand(()))
            return super().loss(batch)

    heard, drawn = [], []
    points, settings = Points(), Training(epochs=2, batch_size=10, learning_rate=0.01)
    points.validation = Points()  # else a split by the seed comes before the order
    for seed in (7, 8):
        trainer(tmp_path / str(seed), settings, seed).train(Listening(), points, clips=50)
    for found in (torch.cat(heard).view(4, 50), torch.stack(drawn).view(4, 5)):
        assert not any(torch.equal(one, other) for one, other in combinations(found, 2))


def test_processes_and_seeds_draw_different_numbers() -> None:
    drawn = []
    for seed, process in ((1, 0), (1, 1), (2, 0), (2, 1)):
        seed_everything(seed, 3, process)
        drawn.append(float(torch.rand(())))
    assert len(set(drawn)) == 4


def test_a_state_of_another_identity_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unbroken, _, _ = trained(tmp_path / "unbroken")
    trained(tmp_path / "stale", seed=1, identity="other settings")
    result, _, _ = trained(tmp_path / "stale")
    assert "belongs to other settings" in caplog.text
    assert same(unbroken, result)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_a_torn_state_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    unbroken, _, _ = trained(tmp_path / "unbroken")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "training.ckpt").write_bytes(content)
    result, _, _ = trained(tmp_path / "torn")
    assert "training starts over" in caplog.text
    assert same(unbroken, result)
    assert (tmp_path / "torn" / "training.ckpt.unused").read_bytes() == content
    trainer(tmp_path / "torn").done()
    assert not list((tmp_path / "torn").iterdir())


def test_finish_sees_the_training_part_and_the_last_losses(tmp_path: Path) -> None:
    _, calibration, _ = trained(tmp_path)
    assert calibration["seen"].sum() == 40  # 50 examples less the 20 % that are held out
    assert len(calibration["losses"]) == len(calibration["seen"])


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_what_a_network_finishes_with_has_no_dropout(tmp_path: Path, validation: float) -> None:
    class Finishing(Line):
        def finish(self, training: Batches, validation: Batches, losses: Tensor) -> dict[str, Tensor]:
            return {"in training": torch.tensor(self.training)}

    settings = Training(epochs=1, batch_size=8, learning_rate=0.01, validation=validation)
    assert not trainer(tmp_path, settings).train(Finishing(4, 4), Points(), clips=50)[0]["in training"]


def test_the_seed_decides_the_split_and_nothing_is_in_both_parts() -> None:
    training, watched = split(50, 0.2, 7)
    assert sorted([*training.tolist(), *watched.tolist()]) == list(range(50))
    assert len(watched) == 10
    assert split(50, 0.2, 7)[1].tolist() == watched.tolist()
    assert split(50, 0.2, 8)[1].tolist() != watched.tolist()


def test_two_examples_are_enough_to_learn_from() -> None:
    assert sorted(split(2, 0.0, 7)[0].tolist()) == [0, 1]
    training, watched = split_recordings(["a", "b", "c", "c"], torch.tensor([False, False, True, True]), 0.7, 2, 7)
    assert sorted(training.tolist()) == [2, 3]
    assert sorted(watched.tolist()) == [0, 1]


@pytest.mark.parametrize(("count", "sizes"), [(16, [8, 8]), (9, [9]), (17, [8, 9]), (18, [8, 8, 2]), (1, [1])])
def test_a_single_left_over_example_joins_the_batch_before(count: int, sizes: list[int]) -> None:
    batches = Batches(Points(), torch.arange(count), 8, CPU)
    assert [len(batch.features) for batch in batches] == sizes
    assert len(batches) == len(sizes)


def test_a_diverging_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match=r"training: the loss is (nan|inf).*learning_rate"):
        trained(tmp_path, settings=Training(epochs=50, batch_size=8, learning_rate=1e30))


@pytest.mark.parametrize(
    ("clip_norm", "message"), [(1.0, "the gradient is not finite in epoch 1"), (None, "the weights are not finite")]
)
def test_a_gradient_that_is_not_finite_is_refused_though_the_loss_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip_norm: float | None, message: str
) -> None:
    whole = Toy.loss

    def steep(network: Toy, batch: Batch) -> Tensor:  # the slope of a root at 0 is infinite
        return whole(network, batch) + (0 * network.layers[0].weight).sum().sqrt()

    monkeypatch.setattr(Toy, "loss", steep)
    with pytest.raises(AsdError, match=f"training: {message}.*learning_rate"):
        trained(tmp_path, settings=Training(epochs=1, batch_size=50, learning_rate=0.01, clip_norm=clip_norm))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "sgdx"}, "training.optimizer"),
        ({"schedule": "steps"}, "training.schedule"),
        ({"schedule": "plateau"}, "training.schedule: needs a validation loss"),
        ({"early_stop": 3}, "training.early_stop: needs a validation loss"),
    ],
)
def test_unknown_choices_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    settings = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, **change}
    with pytest.raises(AsdError, match=message):
        trained(tmp_path, settings=Training(**settings))


def test_too_few_examples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match="too few"):
        trainer(tmp_path).train(Toy(), Points(1), clips=1)


def test_adamw_steps_with_every_setting_of_the_recipe() -> None:
    """Against the formula of Loshchilov and Hutter, "Decoupled weight decay regularization", algorithm 2."""
    rate, (first, second), eps, decay = 0.1, (0.5, 0.75), 0.25, 0.5
    settings = Training(1, 1, rate, optimizer="adamw", betas=[first, second], eps=eps, weight_decay=decay)
    network = nn.Linear(1, 1, bias=False)
    optimizer = build_optimizer(network, settings)
    expected = float(network.weight.detach())
    mean = square = 0.0
    for step, gradient in enumerate([1.0, -3.0, 0.5], start=1):
        network.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        moved = mean / (1 - first**step) / ((square / (1 - second**step)) ** 0.5 + eps)
        expected -= rate * (moved + decay * expected)
        assert float(network.weight.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_warms_up_and_falls_by_a_cosine() -> None:
    settings = Training(
        epochs=26, batch_size=1, learning_rate=1.0, schedule="cosine", final_learning_rate=0.1, warmup_epochs=1
    )
    rates = [learning_rate(settings, step, 104) for step in range(105)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[54] == pytest.approx(0.55)  # half-way
    assert rates[104] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in pairwise(rates[4:]))


def test_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    step = torch.optim.Adam.step

    def look(self, *args, **kwargs):
        gradients = [p.grad.norm() for group in self.param_groups for p in group["params"]]
        steps.append(float(torch.stack(gradients).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", look)
    settings = Training(epochs=1, batch_size=8, learning_rate=0.01, clip_norm=1e-3)
    trained(tmp_path, settings=settings)
    assert steps
    assert max(steps) <= 1.001e-3


@pytest.mark.parametrize(("on_gpu", "computed"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bf16_is_computed_in_on_a_gpu_alone_and_read_in_float32(
    tmp_path: Path, on_gpu: bool, computed: torch.dtype
) -> None:
    """The test runs on a CPU, with the plugin of a GPU."""
    read = set()

    class Listening(Toy):
        def loss(self, batch: Batch) -> Tensor:
            read.add((self.training, batch.features.dtype, self.layers(batch.features).dtype))
            return super().loss(batch)

    given = trainer(tmp_path, replace(SETTINGS, precision="bf16"))
    if on_gpu:
        given.fabric = Fabric(accelerator="cpu", devices=1, plugins=[Autocast("cpu")])
    given.train(Listening(), Points(), clips=50)
    assert read == {(learning, torch.float32, computed) for learning in (True, False)}


class Following(Toy):
    """A network with every optional method that the trainer calls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("teacher", torch.zeros(8, 4))
        self.weight = 1.0

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        self.weight = 1 - epoch / epochs

    def loss(self, batch: Batch) -> Tensor:
        return self.weight * super().loss(batch)

    def after_step(self, step: int, steps: int) -> None:
        self.teacher.lerp_(self.layers[0].weight.detach(), 0.5 * (step + 1) / steps)

    def parameter_groups(self) -> list[dict]:
        first, *others = self.layers.parameters()
        return [{"params": [first], "rate": 0.0}, {"params": others, "weight_decay": 0.1}]

    def metrics(self, batch: Batch) -> dict[str, Tensor]:
        return {"spread": batch.features.std()}


class Redrawn(Points):
    """Examples that are redrawn in every epoch and have a validation set of their own."""

    def __init__(self) -> None:
        super().__init__(48)
        self.validation = Points(9)

    def begin_epoch(self, epoch: int) -> None:
        self.values = torch.randn(48, 4, generator=torch.Generator().manual_seed(100 + epoch))


def test_network_and_examples_hear_of_every_epoch_and_finish_with_the_last(tmp_path: Path) -> None:
    class Hearing(Following):
        def begin_epoch(self, epoch: int, epochs: int) -> None:
            heard.append((epoch, epochs))

        def epoch_metrics(self) -> dict[str, float]:
            return {"latest": heard[-1][0]}

    class Drawn(Redrawn):
        def begin_epoch(self, epoch: int) -> None:
            drawn.append(epoch)

    heard, drawn = [], []
    _, epochs = trainer(tmp_path, replace(SETTINGS, epochs=3)).train(Hearing(), Drawn(), clips=48)
    assert heard == [(0, 3), (1, 3), (2, 3), (2, 3)]
    assert drawn == [0, 1, 2, 2]
    assert [epoch.metrics["latest"] for epoch in epochs] == [0, 1, 2]


def test_the_log_says_from_how_many_clips_a_second_was_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Here three clips are an example, and five batches of eight take seven seconds."""
    clock = count(0, 7)
    monkeypatch.setattr(epoch_so_far, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    settings = Training(epochs=1, batch_size=8, learning_rate=0.01, steps_per_epoch=5)
    with caplog.at_level(logging.INFO, "asdlib.progress"):
        _, (epoch,) = trainer(tmp_path, settings).train(Toy(), Points(), clips=3 * 50)
    assert (epoch.seconds, epoch.clips_per_second) == (7, round(3 * 40 / 7, 1))
    (said,) = [record.message for record in caplog.records if record.name == "asdlib.progress"]
    assert said.startswith("epoch 1/1  loss")
    assert "  17 clips/s" in said


def test_the_schedule_and_the_network_follow_the_steps_of_the_whole_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(Line):
        def after_step(self, step: int, steps: int) -> None:
            counted.append((step, steps))

    rates, counted = [], []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *given, **named: (rates.append(self.param_groups[0]["lr"]), step(self, *given, **named)),
    )
    settings = Training(epochs=3, batch_size=8, accumulate=2, learning_rate=0.01, schedule="cosine", warmup_epochs=1)
    _, epochs = trainer(tmp_path, settings).train(Counting(4, 4), Points(40), clips=40)
    assert counted == [(number, 9) for number in range(9)]  # five batches an epoch are three steps
    assert rates == pytest.approx([learning_rate(settings, number, 9) for number in range(9)])
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx(rates[2::3])


def test_a_killed_training_with_every_optional_part_ends_the_same(tmp_path: Path) -> None:
    settings = Training(
        epochs=6, batch_size=4, accumulate=3, learning_rate=0.05, schedule="plateau", patience=1, early_stop=5,
        steps_per_epoch=7,
    )  # fmt: skip

    def run(folder: Path) -> tuple[dict, list]:
        torch.manual_seed(0)
        network = Following()
        _, epochs = trainer(folder, settings).train(network, Redrawn(), clips=48)
        return network.state_dict(), epochs

    unbroken, epochs = run(tmp_path / "unbroken")
    with killed_after(3):
        run(tmp_path / "killed")
    resumed, again = run(tmp_path / "killed")
    assert same(unbroken, resumed)
    assert [(e.loss, e.metrics, e.learning_rate) for e in epochs] == [
        (e.loss, e.metrics, e.learning_rate) for e in again
    ]
    assert unbroken["teacher"].any()
    write_history(tmp_path / "training.csv", epochs)
    assert (tmp_path / "training.csv").read_text().splitlines()[0].endswith("seconds,spread")


def test_a_group_with_rate_zero_stands_still(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Following()
    before = [parameter.detach().clone() for parameter in network.layers.parameters()]
    trainer(tmp_path).train(network, Points(), clips=50)
    first, second = list(network.layers.parameters())[:2]
    assert torch.equal(first, before[0])
    assert not torch.equal(second, before[1])


class Line(nn.Linear):
    def loss(self, batch: Batch) -> Tensor:
        return (self(batch.features) - batch.features).square().mean()


def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    def weights(folder: str, **settings) -> Tensor:
        torch.manual_seed(0)
        network = Line(4, 4)
        fixed = {"epochs": 2, "learning_rate": 0.01, "eps": 1.0}  # Adam alone is blind to the size of a gradient
        points = Points(44)  # the last step is shorter
        trainer(tmp_path / folder, Training(**fixed, **settings)).train(network, points, len(points))
        return network.weight.detach()

    whole = weights("whole", batch_size=16)
    torch.testing.assert_close(weights("parts", batch_size=4, accumulate=4), whole)
    assert not torch.allclose(weights("small", batch_size=4), whole)


def test_steps_per_epoch_draw_in_shuffled_rounds() -> None:
    order = shuffled(torch.arange(10), 0, 7, 25)
    assert len(order) == 25
    assert sorted(order[:10].tolist()) == sorted(order[10:20].tolist()) == list(range(10))
    assert order[:10].tolist() != order[10:20].tolist()
    assert shuffled(torch.arange(10), 1, 7, 4).tolist() != order[:4].tolist()


def test_a_plateau_lowers_the_rate_and_then_stops() -> None:
    settings = Training(
        epochs=99, batch_size=1, learning_rate=1.0, schedule="plateau", patience=2, factor=0.5, early_stop=4
    )
    watched = [5.0, 4.0, 4.5, 4.0, 4.1, 4.2]
    rates = [learning_rate(settings, epoch, 99, watched[:epoch]) for epoch in range(7)]
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    assert [stopped(settings, watched[:epoch]) for epoch in range(7)] == [False] * 6 + [True]


def test_an_early_stop_returns_to_the_best_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Wandering(Toy):
        """A network that minimises the loss for three epochs and then maximises it."""

        def begin_epoch(self, epoch: int, epochs: int) -> None:
            self.sign = 1.0 if epoch < 3 else -1.0

        def loss(self, batch: Batch) -> Tensor:
            loss = super().loss(batch)
            return self.sign * loss if self.training else loss

    torch.manual_seed(0)
    network = Wandering()
    settings = Training(epochs=50, batch_size=8, learning_rate=0.01, validation=0.2, early_stop=4)
    with caplog.at_level(logging.INFO, "asdlib.training"):
        _, epochs = trainer(tmp_path, settings).train(network, Points(), clips=50)
    best = min(range(len(epochs)), key=lambda epoch: epochs[epoch].validation_loss)
    assert f"keeping the weights of epoch {epochs[best].epoch}, which has the lowest validation loss" in caplog.text
    assert len(epochs) == best + 5 < 50
    watched = Points().batch(split(50, 0.2, 7)[1])
    with torch.no_grad():
        assert float(network.loss(watched)) == pytest.approx(epochs[best].validation_loss, rel=0.2)


# --- held-out recordings ----------------------------------------------------------------------------------------------


def copied(recordings: int = 100, target: int = 10) -> tuple[list[str], Tensor]:
    """Return the recordings and domains of clips: each recording as it is, separated, and in two remixes."""
    names = [f"fan {number}" for number in range(recordings)]
    return names * 4, torch.tensor([number < target for number in range(recordings)]).repeat(4)


def test_held_out_recordings_leave_no_copy_and_no_target_clip_behind() -> None:
    names, target = copied()
    training, watched = split_recordings(names, target, share=0.2, most=15, seed=7)
    held_out = {names[index] for index in watched}
    assert len(watched) == len(held_out) == 15  # one clip of each
    assert not target[watched].any()
    assert not held_out & {names[index] for index in training}
    assert len(training) == 4 * 85
    assert len(set(watched.tolist()) & set(range(100))) < 15  # copies are watched too


def test_few_recordings_are_held_out_by_their_share() -> None:
    names, target = copied(50)
    first, again, other = (split_recordings(names, target, 0.1, 15, seed)[1].tolist() for seed in (7, 7, 8))
    assert len(first) == 5
    assert first == again != other
    assert len(split_recordings(names, target, 0.0, 15, 7)[1]) == 0
    assert len(split_recordings(names, torch.ones(200, dtype=torch.bool), 0.1, 15, 7)[1]) == 0


def test_the_trainer_watches_a_fixed_number_of_recordings(tmp_path: Path) -> None:
    class Copies(Points):
        recordings, target = copied(50)

    seen = []

    class Listening(Toy):
        def metrics(self, batch: Batch) -> dict[str, Tensor]:
            seen.append(len(batch.features))
            return {}

    settings = Training(epochs=1, batch_size=8, learning_rate=0.01, validation=0.5, validation_recordings=6)
    trainer(tmp_path, settings).train(Listening(), Copies(200), clips=200)
    assert sum(seen) == 6
    with pytest.raises(AsdError, match=r"training\.validation_recordings: .* not of one recording"):
        trainer(tmp_path, settings).train(Toy(), Points(), clips=50)
