"""Tests of rounds: different domains, the same number of clips of each, and the same draws in a resumed training."""

from collections import Counter

import pyarrow as pa
import pytest
import torch

from asdlib.examples.clips import Clips
from asdlib.examples.domain_rounds import DomainRounds

COUNTS = {0: 20, 1: 20, 2: 4, 3: 20}


def rounds(domains: int = 3, size: int = 5, counts: dict[int, int] = COUNTS, seed: int = 1) -> DomainRounds:
    """Return rounds of clips whose only feature is their number; the labels are (7, domain).

    Clip n has n + 1 frames, and the clips of domain 2 are of the target domain.
    """
    domain = torch.cat([torch.full((count,), name) for name, count in counts.items()])
    features = torch.arange(len(domain)).view(-1, 1, 1).half()
    frames = pa.array(range(1, len(domain) + 1), pa.int32())
    names = ["target" if name == 2 else "source" for name in domain.tolist()]
    torch.manual_seed(seed)
    given = Clips(pa.table({"frames": frames, "domain": names}), features)
    return DomainRounds(given, torch.stack([torch.full_like(domain, 7), domain], dim=1), domains, size)


def drawn(examples: DomainRounds) -> torch.Tensor:
    return examples.batch(torch.arange(len(examples))).features.flatten()


def test_an_epoch_has_about_as_many_clips_as_there_are() -> None:
    assert len(rounds()) == -(-64 // 15)


@pytest.mark.parametrize("epoch", range(5))
def test_a_round_holds_different_domains_and_equally_many_clips_of_each(epoch: int) -> None:
    examples = rounds()
    examples.begin_epoch(epoch)
    for index in range(len(examples)):
        batch = examples.batch(torch.tensor([index]))
        assert batch.features.shape == (15, 1, 1)
        assert (batch.labels[:, 0] == 7).all()
        blocks = batch.labels[:, 1].view(3, 5)
        assert (blocks == blocks[:, :1]).all()
        assert len(blocks[:, 0].unique()) == 3
    given = examples.batch(torch.arange(len(examples)))
    starts = torch.tensor([sum(list(COUNTS.values())[:domain]) for domain in COUNTS])
    assert (given.features.flatten() >= starts[given.labels[:, 1]]).all()
    assert torch.equal(given.frames, given.features.flatten().long() + 1)
    assert torch.equal(given.target, given.labels[:, 1] == 2)


def test_a_clip_comes_again_only_after_all_others_of_its_domain() -> None:
    examples = rounds()
    batch = examples.batch(torch.arange(len(examples)))
    for domain in COUNTS:
        seen = Counter(batch.features.flatten()[batch.labels[:, 1] == domain].tolist())
        missing = COUNTS[domain] - len(seen)
        assert max(seen.values(), default=0) - (0 if missing else min(seen.values())) <= 1


def test_all_domains_are_shown_equally_often_in_the_long_run() -> None:
    examples = rounds()
    seen = Counter()
    for epoch in range(200):
        examples.begin_epoch(epoch)
        seen.update(examples.batch(torch.arange(len(examples))).labels[:, 1].tolist())
    shares = [seen[domain] / seen.total() for domain in COUNTS]
    assert shares == pytest.approx([0.25] * 4, abs=0.02)


def test_epochs_differ_and_an_epoch_is_drawn_the_same_again() -> None:
    first, resumed = rounds(), rounds()
    torch.rand(100)  # stands for what a training draws between epochs
    orders = []
    for epoch in range(3):
        first.begin_epoch(epoch)
        orders.append(drawn(first))
    resumed.begin_epoch(2)
    assert torch.equal(drawn(resumed), orders[2])
    assert not torch.equal(orders[0], orders[1])


def test_another_seed_draws_other_rounds() -> None:
    assert not torch.equal(drawn(rounds(seed=1)), drawn(rounds(seed=2)))


def test_where_there_are_fewer_domains_a_round_has_them_all() -> None:
    batch = rounds(counts={0: 9, 5: 9}).batch(torch.tensor([0]))
    assert batch.labels[:, 1].unique().tolist() == [0, 5]
    assert len(batch.labels) == 10


def test_few_clips_still_make_two_rounds() -> None:
    assert len(rounds(counts={0: 2}, size=32)) == 2
