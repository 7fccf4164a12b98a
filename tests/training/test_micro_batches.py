"""Batches computed in parts: the same gradient, and parts that fit into the memory."""

import logging
from pathlib import Path

import pytest
import torch
from helpers.killed_trainings import killed_after
from helpers.model_toys import built, toy_clips, toy_of
from helpers.points import Points
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.models import MODELS, audiomae_adaptation
from asdlib.separation.mixtures import Mixtures
from asdlib.separators import SEPARATORS
from asdlib.training import micro_batches
from asdlib.training.batches import Batches
from asdlib.training.micro_batches import fitting, largest_part, parts, refuse_indivisible, same_part
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer

CPU = torch.device("cpu")
SETTINGS = Training(epochs=2, batch_size=8, accumulate=2, learning_rate=0.01, clip_norm=1.0)
DIVISIBLE = {"audiomae_adaptation", "audiomae_classifier", "beats_classifier", "ssl_fusion"}
SMALL = {
    "conv_tasnet": {"n_filters": 16, "bn_chan": 8, "hid_chan": 16, "skip_chan": 8, "n_blocks": 2, "n_repeats": 1},
    "tfgridnet": {
        "n_fft": 128, "hop": 64, "blocks": 1, "channels": 8, "lstm_hidden": 8, "heads": 2, "attention_size": 65,
        "per_item": True,
    },
}  # fmt: skip


class Network(nn.Module):
    """A network whose loss of more than `most` examples is out of memory, as on a GPU."""

    divisible = True

    def __init__(self, most: int = 100) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
        self.most = most
        self.sizes: list[int] = []

    def loss(self, batch: Batch) -> Tensor:
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        self.sizes.append(len(batch.features))
        guess = self.layers(batch.features)
        if len(batch.features) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return {"distance": (guess - batch.features).square().mean(), "size": 0.5 * guess.square().mean()}


def trained(folder: Path, network: Network, micro_batch: int | str | None) -> tuple[Network, list]:
    settings = Training(**{**vars(SETTINGS), "micro_batch": micro_batch})
    _, epochs = Trainer(settings, 7, CPU, folder / "training.ckpt", "this").train(
        network, Points(29), clips=29
    )  # the last batch is shorter
    return network, epochs


@pytest.mark.parametrize("micro_batch", [3, "auto"])
def test_a_training_in_parts_ends_with_the_same_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, micro_batch: int | str
) -> None:
    caplog.set_level(logging.WARNING)
    whole, expected = trained(tmp_path / "whole", Network(), None)
    divided, epochs = trained(tmp_path / "parts", Network(most=3), micro_batch)
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(divided.state_dict()[name], weights, rtol=1e-5, atol=1e-7)
    for one, other in zip(epochs, expected, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        distances = [{name: epoch.terms[name] for name in ("distance", "size")} for epoch in (one, other)]
        assert distances[0] == pytest.approx(distances[1], rel=1e-5)
    tried = [8, 4, 2] if micro_batch == "auto" else []
    assert divided.sizes[: len(tried)] == tried
    assert max(divided.sizes[len(tried) :]) == (2 if tried else 3)
    assert ("a batch of 8: it is computed in parts of up to 2" in caplog.text) == bool(tried)


def test_a_batch_that_fits_stays_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    network, _ = trained(tmp_path, Network(), "auto")
    assert set(network.sizes) == {8, 5}
    assert not caplog.text


def test_an_example_that_does_not_fit_is_a_shortage(tmp_path: Path) -> None:
    network = Network(most=0)
    with pytest.raises(torch.OutOfMemoryError):
        trained(tmp_path, network, "auto")
    assert network.sizes == [8, 4, 2, 1]


def test_other_errors_of_the_trial_are_raised_even_if_a_smaller_part_has_none() -> None:
    network = Network()

    def compute(part: Batch) -> Tensor:
        if len(part.features) > 1:
            raise RuntimeError("shapes cannot be multiplied")
        return network.loss(part)

    with pytest.raises(RuntimeError, match="shapes"):
        fitting(network, Points().batch(torch.arange(4)), compute, CPU)


def test_a_trial_is_made_in_the_mode_of_the_training() -> None:
    network, modes = Network().eval(), []
    fitting(
        network,
        Points().batch(torch.arange(4)),
        lambda part: modes.append(network.training) or network.loss(part),
        CPU,
    )
    assert modes == [True]


def test_a_trial_leaves_no_gradient_behind() -> None:
    network = Network()
    fitting(network, Points().batch(torch.arange(4)), network.loss, CPU)
    assert all(weight.grad is None for weight in network.parameters())


class Memory:
    """The memory of a pretended GPU of which every example takes 1000 bytes, kept in reserve until it is emptied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        self.reserved, self.peak = 0, 10**6
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: setattr(self, "peak", 0))
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: setattr(self, "reserved", 0))
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: self.peak)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (size - self.reserved, size))

    def fits(self, network: Network, examples: int) -> int:
        """Return how many of so many examples fit."""

        def compute(part: Batch) -> Tensor:
            self.peak = max(self.peak, 1000 * len(part.features))
            self.reserved = max(self.reserved, self.peak)
            return network.loss(part)

        return fitting(network, Points().batch(torch.arange(examples)), compute, torch.device("cuda", 0))


@pytest.mark.parametrize(("frozen", "needed"), [(False, 708), (True, 388)])
def test_a_trial_must_leave_room_for_the_optimiser(monkeypatch: pytest.MonkeyPatch, frozen: bool, needed: int) -> None:
    """Two moments of 4 bytes for each of the 76 weights, or of the 36 that learn, and a tenth of what it took."""
    network = Network()
    network.layers[0].requires_grad_(not frozen)
    assert Memory(monkeypatch, 1000 + needed).fits(network, 1) == 1
    with pytest.raises(torch.OutOfMemoryError, match="optimiser"):
        Memory(monkeypatch, 1000 + needed - 1).fits(network, 1)


def test_what_a_trial_took_is_free_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four examples take 4000 bytes, and there must be 608 for the moments and 400 to spare."""
    assert Memory(monkeypatch, 5008).fits(Network(), 8) == 4


@pytest.mark.parametrize(("other", "expected"), [(3, 3), (100, 8)])
def test_all_processes_compute_as_many_examples_as_fit_for_each_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: int, expected: int
) -> None:
    monkeypatch.setattr(micro_batches, "gathered", lambda _, own: [own, other])
    network = Network()
    fabric = Trainer(SETTINGS, 7, CPU, tmp_path / "training.ckpt", "this").fabric
    assert largest_part(fabric, network, Batches(Points(), torch.arange(20), 8, CPU)) == expected


def test_parts_are_of_about_equal_size() -> None:
    batch = Points().batch(torch.arange(10))
    found = list(parts(batch, 4))
    assert [len(part.features) for part, _ in found] == [4, 3, 3]
    assert sum(share for _, share in found) == pytest.approx(1)
    assert torch.equal(torch.cat([part.features for part, _ in found]), batch.features)


def loss_and_parts(network: nn.Module, batch: Batch | Mixtures) -> tuple[float, float]:
    """Return the loss of a batch, and the mean of those of its parts."""
    network.eval()
    with torch.no_grad():
        return float(network.loss(batch)), float(sum(share * network.loss(part) for part, share in parts(batch, 3)))


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_divisible_models_have_a_mean_over_clips(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    clips = toy_clips(toy_of(kind)[1])
    network = built(kind, clips)
    assert getattr(network, "divisible", False) == (kind in DIVISIBLE)
    if kind in DIVISIBLE:
        mask = audiomae_adaptation.draw_rectangles(1, (16, 40), (4, 8))
        monkeypatch.setattr(audiomae_adaptation, "draw_rectangles", lambda count, *_: mask.expand(count, -1))
        whole, divided = loss_and_parts(network, network.examples(clips).batch(torch.arange(8)))
        assert divided == pytest.approx(whole, rel=1e-5)


def test_eat_is_divisible_with_the_mean_over_clones(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, shape = toy_of("eat")
    clips = toy_clips(shape)
    for reduction in ("mean", "sum"):
        network = built("eat", clips, sizes | {"utterance_reduction": reduction})
        assert network.divisible == (reduction == "mean")
        batch = network.examples(clips).batch(torch.arange(8))
        mask = torch.arange(4).expand(len(batch.features) * 2, -1)
        monkeypatch.setattr("asdlib.models.eat.visible_blocks", lambda masks, *_, mask=mask: mask[:masks])
        monkeypatch.setattr("asdlib.models.eat.NOISE", 0.0)
        whole, divided = loss_and_parts(network, batch)
        assert (divided == pytest.approx(whole, rel=1e-5)) == (reduction == "mean")


@pytest.mark.parametrize("kind", sorted(SEPARATORS))
def test_divisible_separators_have_a_mean_over_mixtures(kind: str) -> None:
    torch.manual_seed(0)
    network = SEPARATORS[kind](**SMALL.get(kind, {}))
    assert getattr(network, "divisible", False) == (kind in SMALL)
    if kind not in SMALL:
        return
    sources = torch.randn(5, 2, 1600) * torch.logspace(-2, 0, 5)[:, None, None]
    whole, divided = loss_and_parts(network, Mixtures(sources.sum(1), sources))
    assert divided == pytest.approx(whole, rel=1e-4)


def test_norms_over_the_whole_batch_are_not_divisible() -> None:
    assert not SEPARATORS["tfgridnet"](**{**SMALL["tfgridnet"], "per_item": False}).divisible


class WithBatchNorm(Network):
    """Each example's output depends on the others of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)


@pytest.mark.parametrize(
    ("network", "micro_batch", "said"),
    [
        (nn.Linear(4, 4), "auto", "needs the whole batch"),
        (WithBatchNorm(), 4, "needs the whole batch"),
        (Network(), 0, "give auto, or a number"),
        (Network(), "half", "give auto, or a number"),
        (Network(), True, "give auto, or a number"),  # no 1
    ],
)
def test_what_cannot_be_divided_is_refused(network: nn.Module, micro_batch: int | str, said: str) -> None:
    with pytest.raises(AsdError, match=said):
        refuse_indivisible(Training(**{**vars(SETTINGS), "micro_batch": micro_batch}), network)


def test_a_training_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match="needs the whole batch"):
        trained(tmp_path, WithBatchNorm(), 4)


def test_nothing_is_refused_where_nothing_is_divided() -> None:
    refuse_indivisible(SETTINGS, nn.BatchNorm1d(4))


def test_one_example_at_a_time_is_allowed() -> None:
    refuse_indivisible(Training(**{**vars(SETTINGS), "micro_batch": 1}), Network())


@pytest.mark.parametrize(
    ("found", "stored", "used", "is_said"), [(8, None, 8, 0), (8, 4, 4, 0), (4, 4, 4, 0), (4, 8, 4, 1)]
)
def test_a_resumed_training_computes_as_many_at_a_time_as_before(
    caplog: pytest.LogCaptureFixture, found: int, stored: int | None, used: int, is_said: int
) -> None:
    """A loss that draws numbers draws others in parts of another size."""
    assert same_part(found, stored) == used
    assert len(caplog.messages) == is_said


def test_a_training_keeps_the_size_of_its_parts_when_it_is_resumed_where_more_fit(tmp_path: Path) -> None:
    with killed_after(1):
        trained(tmp_path, Network(most=3), "auto")
    resumed, _ = trained(tmp_path, Network(), "auto")
    tried, *computed = resumed.sizes
    assert tried == 8
    assert max(computed) == 2
