"""Running statistics of batch norm after short trainings."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.training.batch_norm import initial_share, settle
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer


class Levels:
    """64 examples of mean 50 and deviation 3."""

    def __len__(self) -> int:
        return 64

    def batch(self, indices: Tensor) -> Batch:
        values = 50 + 3 * torch.randn(64, 4, generator=torch.Generator().manual_seed(3))[indices]
        return Batch(values, torch.ones(len(values)), torch.zeros(len(values), dtype=torch.bool))


class Normed(nn.Module):
    def __init__(self, momentum: float | None):
        super().__init__()
        self.norm = nn.BatchNorm1d(4, momentum=momentum)
        self.dropped = nn.Dropout(0.5)

    def loss(self, batch: Batch) -> Tensor:
        return self.norm(self.dropped(batch.features)).square().mean()


def fit(folder: Path, momentum: float | None, epochs: int) -> Normed:
    network = Normed(momentum)
    settings = Training(epochs=epochs, batch_size=16, learning_rate=1e-3)
    Trainer(settings, 7, torch.device("cpu"), folder / "training.ckpt", "this").train(network, Levels(), 64)
    return network


def test_a_short_training_ends_with_the_statistics_of_its_examples(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "asdlib.training"):
        norm = fit(tmp_path, momentum=0.01, epochs=5).norm
    values = Levels().batch(torch.arange(64)).features
    torch.testing.assert_close(norm.running_mean, values.mean(0), rtol=1e-4, atol=0)  # dropout would halve it
    torch.testing.assert_close(norm.running_var, values.var(0), rtol=0.1, atol=0)
    assert norm.momentum == 0.01
    assert not norm.training
    assert "82 % of the running statistics are initial values" in caplog.text


def test_a_long_training_keeps_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "asdlib.training"):
        norm = fit(tmp_path, momentum=0.5, epochs=5).norm
    assert norm.num_batches_tracked == 20
    assert "batch norm" not in caplog.text


@pytest.mark.parametrize(
    ("momentum", "batches", "share"), [(0.01, 20, 0.818), (0.1, 50, 0.005), (None, 3, 0.0), (0.1, 0, 1.0)]
)
def test_the_share_of_the_initial_values(momentum: float | None, batches: int, share: float) -> None:
    network = Normed(momentum)
    network.norm.num_batches_tracked.fill_(batches)
    assert initial_share(network) == pytest.approx(share, abs=1e-3)
    fast = nn.BatchNorm1d(4, momentum=0.9)
    fast.num_batches_tracked.fill_(batches or 1)
    for both in ((network, fast), (fast, network)):
        assert initial_share(nn.Sequential(*both)) == pytest.approx(max(share, 0.1 ** (batches or 1)), abs=1e-3)


def test_a_network_without_batch_norm_is_left_alone() -> None:
    assert initial_share(nn.Linear(2, 2)) == 0.0
    settle(nn.Linear(2, 2), [object()])  # it has no loss, so a pass over the batches would fail
