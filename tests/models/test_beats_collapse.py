"""BEATs from random weights: what the head's initial weights cost, and when the training collapses."""

import logging

import pytest
import torch
from helpers.condition_clips import condition_clips
from helpers.system4_models import BEATS, begun

from asdlib.examples.clips import Clips
from asdlib.models.beats_classifier import BeatsClassifier
from asdlib.training.collapse import effective_rank, warn_of_collapse

TINY = 2e-5  # the deviation in AudioMAE's fine-tuning
MACHINES, COPIES, SPEEDS = ("fan", "pump", "valve"), 4, "0123"


def labelled_clips(scale: float) -> Clips:
    """Return clips of 12 labels: noise, and a spectrum of the label's own, both in proportion to `scale`."""
    labels = [(machine, speed, "source") for machine in MACHINES for speed in SPEEDS]
    table = condition_clips(dict.fromkeys(labels, COPIES), frames=32).table
    waves = torch.arange(1, len(labels) + 1).repeat_interleave(COPIES)[:, None] * torch.arange(128) / 128
    noise = torch.randn(len(waves), 32, 128, generator=torch.Generator().manual_seed(2))
    return Clips(table, scale * (noise + 3 * torch.cos(torch.pi * waves)[:, None]) - 5)


def trained(given: Clips, tiny: bool, rate: float, steps: int) -> BeatsClassifier:
    torch.manual_seed(0)
    network = begun({**BEATS, "width": 32, "depth": 2, "patch_width": 16}, given)
    if tiny:
        torch.nn.init.trunc_normal_(network.head.weight, std=TINY)
        torch.nn.init.zeros_(network.head.bias)
    examples = network.examples(given)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        network.loss(examples.batch(torch.randperm(len(examples))[:16])).backward()
        optimizer.step()
    return network


def test_tiny_weights_of_a_new_head_slow_the_training_and_cost_directions(caplog: pytest.LogCaptureFixture) -> None:
    """In seeds 0 to 3, ranks are 4.5 to 6.1 with tiny weights and 7.5 to 10.9 with the usual ones: no collapse yet."""
    given = labelled_clips(8.0)
    losses, ranks = {}, {}
    for tiny in (True, False):
        network = trained(given, tiny, rate=0.002, steps=60)
        batch = network.examples(given).batch(torch.arange(len(given.features)))
        losses[tiny] = float(network.loss(batch).detach())
        by_machine = network.embed(batch)["embedding"].unflatten(0, (len(MACHINES), -1))
        ranks[tiny] = effective_rank((by_machine - by_machine.mean(1, keepdim=True)).flatten(0, 1))
        warn_of_collapse(network, given)
    assert losses[True] > 1.4 * losses[False]
    assert ranks[True] < 0.8 * ranks[False]
    assert "collapsed" not in caplog.text


@pytest.mark.parametrize("tiny", [True, False])
def test_clips_that_hardly_differ_collapse_at_a_high_rate_with_either_head(
    caplog: pytest.LogCaptureFixture, tiny: bool
) -> None:
    given = labelled_clips(1.0)
    network = trained(given, tiny, rate=0.005, steps=30)
    with caplog.at_level(logging.INFO, "asdlib.training"):
        warn_of_collapse(network, given)
    assert "embedding: the training has collapsed: 48 clips" in caplog.text
