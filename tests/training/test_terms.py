"""The terms of a loss and their shares of the gradient."""

import csv
import logging
from pathlib import Path

import pytest
import torch
from helpers.killed_trainings import killed_after
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.training.history import write_history
from asdlib.training.settings import Training
from asdlib.training.terms import gradient_shares, warn_of_idle_terms
from asdlib.training.trainer import Trainer


class Values:
    """Examples that are standard normal."""

    def __len__(self) -> int:
        return 32

    def batch(self, indices: Tensor) -> Batch:
        values = torch.randn(32, 4, generator=torch.Generator().manual_seed(3))[indices]
        return Batch(values, torch.ones(len(values)), torch.zeros(len(values), dtype=torch.bool))


class TwoTerms(nn.Module):
    """A network whose second term has a weight, and a head of its own with a large gradient."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = weight
        self.shared, self.head = nn.Linear(4, 4), nn.Linear(4, 1)
        nn.init.constant_(self.head.weight, 0.1)

    def loss(self, batch: Batch) -> Tensor:
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        hidden = self.shared(batch.features)
        error = (hidden - batch.features).square().mean()
        return {"error": error, "level": self.weight * (self.head(hidden) - 1).square().mean()}


def fit(folder: Path, weight: float) -> tuple[dict[str, Tensor], list]:
    torch.manual_seed(0)
    network = TwoTerms(weight)
    settings = Training(epochs=3, batch_size=8, learning_rate=0.01, validation=0.25)
    _, epochs = Trainer(settings, 7, torch.device("cpu"), folder / "training.ckpt", "this").train(network, Values(), 32)
    return network.state_dict(), epochs


def test_the_terms_add_up_to_the_loss_and_the_shares_to_one(tmp_path: Path) -> None:
    for epoch in fit(tmp_path, 0.5)[1]:
        assert epoch.terms["error"] + epoch.terms["level"] == pytest.approx(epoch.loss, rel=1e-6)
        assert epoch.terms["error_gradient"] + epoch.terms["level_gradient"] == pytest.approx(1.0)


def test_the_share_is_that_of_the_weights_which_both_terms_reach() -> None:
    shared, head = torch.tensor([2.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    shares = gradient_shares({"one": 3 * shared.sum(), "other": (shared + 100 * head).sum()}, [shared, head])
    assert shares == {"one": pytest.approx(0.75), "other": pytest.approx(0.25)}


def test_the_norm_is_that_of_all_weights_together_whatever_their_shapes() -> None:
    narrow, wide = torch.ones(1, requires_grad=True), torch.ones(9, requires_grad=True)
    terms = {"one": 4 * narrow.sum() + wide.sum(), "other": 3 * narrow.sum() + 4 * wide[0]}  # 16 + 9, and 9 + 16
    assert gradient_shares(terms, [narrow, wide]) == {"one": pytest.approx(0.5), "other": pytest.approx(0.5)}


def test_without_shared_weights_all_count_and_a_constant_has_no_share() -> None:
    one, other = torch.tensor([2.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    terms = {"one": one.sum(), "other": 3 * other.sum(), "constant": torch.ones(())}
    assert gradient_shares(terms, [one, other]) == {"one": 0.25, "other": 0.75, "constant": 0.0}


def test_the_log_of_a_training_has_a_column_for_each_term_and_share(tmp_path: Path) -> None:
    write_history(tmp_path / "training.csv", fit(tmp_path, 0.5)[1])
    with (tmp_path / "training.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0])[-4:] == ["error", "level", "error_gradient", "level_gradient"]


def test_measuring_the_shares_changes_neither_weights_nor_a_resumed_training(tmp_path: Path) -> None:
    unbroken, epochs = fit(tmp_path / "unbroken", 0.5)
    with killed_after(2):
        fit(tmp_path / "killed", 0.5)
    resumed, again = fit(tmp_path / "killed", 0.5)
    assert [epoch.terms for epoch in epochs] == [epoch.terms for epoch in again]
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


@pytest.mark.parametrize(("weight", "idle"), [(0.5, False), (1e-4, True)])
def test_a_term_with_hardly_any_gradient_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, weight: float, idle: bool
) -> None:
    with caplog.at_level(logging.WARNING, "asdlib.training"):
        fit(tmp_path, weight)
    assert ("the loss term level has" in caplog.text) is idle
    assert "the loss term error" not in caplog.text


def test_the_mean_over_the_epochs_decides(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_idle_terms([{"late_gradient": 0.0}, {"late_gradient": 0.5}])
    assert not caplog.records
    warn_of_idle_terms([])
