"""The warning of a collapsed training."""

import logging

import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.training.collapse import effective_rank, warn_of_collapse

CLIPS = condition_clips({("fan", "1", "source"): 12, ("pump", "2", "target"): 10})


class Embedder(nn.Module):
    """Mean levels, after a linear layer and an offset; an error is no representation. It has to know the machine."""

    def __init__(self, scale: float = 1.0, offset: float = 0.0, rank: int = 6):
        super().__init__()
        self.layer = nn.Linear(BANDS, 6)
        self.layer.weight.data[rank:] = self.layer.weight.data[0]
        self.layer.weight.data *= scale
        self.layer.bias.data += offset
        self.seen: list[str] = []

    def for_machine(self, machine: str) -> None:
        self.seen.append(machine)

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        assert not batch.target.any()
        centred = batch.features.mean(1) + 40
        return {"embedding": self.layer(centred), "mse": torch.ones(len(centred), 1)}


@pytest.mark.parametrize(
    ("changes", "collapsed"),
    [
        ({}, False),
        ({"offset": 5.0}, False),  # what all clips have in common is no collapse
        ({"scale": 1e-3}, True),  # equal up to noise, whose rank is high
        ({"rank": 1}, True),  # on a line
    ],
)
def test_embeddings_that_hardly_differ_are_warned_of(
    caplog: pytest.LogCaptureFixture, changes: dict, collapsed: bool
) -> None:
    torch.manual_seed(0)
    network = Embedder(**changes)
    with caplog.at_level(logging.INFO, "asdlib.training"):
        warn_of_collapse(network, CLIPS)
    assert network.seen == ["fan", "pump"]
    assert ("embedding: the training has collapsed: 22 clips" in caplog.text) is collapsed
    assert ("embedding: effective rank" in caplog.text) is not collapsed
    assert "mse" not in caplog.text


def test_vectors_of_bands_are_looked_at_together(caplog: pytest.LogCaptureFixture) -> None:
    class Rows(Embedder):
        def embed(self, batch: Batch) -> dict[str, Tensor]:
            return {"rows": super().embed(batch)["embedding"].unflatten(1, (2, 3))}

    warn_of_collapse(Rows(scale=1e-3), CLIPS)
    assert "rows: the training has collapsed: 22 clips" in caplog.text


def test_a_network_that_embeds_errors_alone_embeds_no_clip_more_than_it_takes_to_know(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Autoencoder(Embedder):
        embedded = 0

        def embed(self, batch: Batch) -> dict[str, Tensor]:
            self.embedded += len(batch.features)
            return {"error": torch.zeros(len(batch.features), BANDS)}

    network = Autoencoder()
    warn_of_collapse(network, CLIPS)
    assert network.embedded == 12  # the first batch: the clips of the first machine
    assert caplog.text == ""


def test_two_clips_are_no_collapse(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_collapse(Embedder(1e-3), condition_clips({("fan", "1", "source"): 2}))
    assert caplog.text == ""


class Known(Embedder):
    """Embeds the only batch of clips as given."""

    def __init__(self, given: Tensor):
        super().__init__()
        self.given = given

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        return {"embedding": self.given}


# Orthogonal, of mean 0 and equally long: with the factors, these are the directions and their singular values.
DIRECTIONS = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).T


@pytest.mark.parametrize(
    ("factors", "collapsed"),
    [([1.0, 1.0, 0.2], False), ([1.0, 0.6, 0.0], True)],  # by the definition, effective ranks of 2.55 and 1.94
)
def test_less_than_two_directions_are_a_collapse(
    caplog: pytest.LogCaptureFixture, factors: list[float], collapsed: bool
) -> None:
    warn_of_collapse(Known(DIRECTIONS * torch.tensor(factors)), condition_clips({("fan", "1", "source"): 4}))
    assert ("the training has collapsed: 4 clips" in caplog.text) is collapsed


NOT_FINITE = r"^training: the embedding of some clips is not finite: lower training.learn"


def test_embeddings_that_are_not_finite_are_refused() -> None:
    with pytest.raises(AsdError, match=NOT_FINITE):
        warn_of_collapse(Embedder(float("inf")), CLIPS)
    one_of_four = DIRECTIONS.clone()
    one_of_four[2, 0] = float("nan")
    with pytest.raises(AsdError, match=NOT_FINITE):
        warn_of_collapse(Known(one_of_four), condition_clips({("fan", "1", "source"): 4}))


def test_the_rank_counts_directions() -> None:
    assert effective_rank(torch.eye(5)) == pytest.approx(5.0)
    assert effective_rank(torch.ones(7, 3)) == pytest.approx(1.0)
    assert effective_rank(torch.tensor([[1.0, 0], [2, 0], [0, 0.1]])) < 1.3
    assert effective_rank(torch.zeros(4, 3)) == pytest.approx(1.0, abs=0.01)
