"""The domain head: it learns like SGD, affects nothing else, and can be resumed."""

import pytest
import torch
from torch.nn import functional

from asdlib.models.dismae_domain_head import DomainHead

SETTINGS = {"rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}


def head() -> DomainHead:
    torch.manual_seed(2)
    return DomainHead(6, 3, **SETTINGS)


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(8, 6, generator=draw), torch.randint(3, (8,), generator=draw)


def test_it_learns_as_pytorch_s_sgd_does() -> None:
    ours, theirs = head(), head().requires_grad_(True)
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    for seed in range(5):
        ours.observe(*batch(seed))
        ours.step()
        optimiser.zero_grad()
        tokens, domains = batch(seed)
        functional.cross_entropy(theirs(tokens), domains).backward()
        optimiser.step()
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight, theirs.get_parameter(name).data)


def test_micro_batches_make_one_step_of_their_mean() -> None:
    twice, once = head(), head()
    tokens, domains = batch(0)
    for part in (slice(0, 4), slice(4, 8)):
        twice.observe(tokens[part], domains[part])
    once.observe(tokens, domains)
    twice.step()
    once.step()
    for name, weight in once.named_parameters():
        torch.testing.assert_close(twice.get_parameter(name), weight)


def test_processes_of_a_training_make_one_step_of_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their heads would otherwise drift apart: only the first one is written."""
    one, other, both = head(), head(), head()
    for learner, seeds in ((one, [0]), (other, [1]), (both, [0, 1])):
        for seed in seeds:
            learner.observe(*batch(seed))
    received = iter(other._observed[0].values())
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda gradient: gradient.add_(next(received)))
    one.step()
    monkeypatch.undo()
    both.step()
    for name, weight in both.named_parameters():
        torch.testing.assert_close(one.get_parameter(name), weight)


def test_it_tells_domains_apart_in_the_end() -> None:
    learner = head()
    domains = torch.arange(3).repeat(10)
    tokens = functional.one_hot(domains, 6).float()
    for _ in range(200):
        learner.observe(tokens, domains)
        learner.step()
    assert learner.probability(tokens, domains).min() > 0.8


def test_its_loss_and_accuracy_in_training_are_measured() -> None:
    learner, (tokens, domains) = head(), batch(0)
    logits = learner(tokens).detach()
    learner.eval().probability(tokens, domains)
    assert learner.measured() == {}
    for _ in range(2):
        learner.train().probability(tokens, domains)
    found = learner.measured()
    assert found["domain_head"] == pytest.approx(float(functional.cross_entropy(logits, domains)), rel=1e-6)
    assert found["domain_head_accuracy"] == pytest.approx(float((logits.argmax(1) == domains).float().mean()))
    assert learner.measured() == {}


def test_nothing_to_learn_from_moves_nothing() -> None:
    learner = head()
    learner.observe(*batch(0))
    learner.step()
    before = {name: weight.clone() for name, weight in learner.state_dict().items()}
    learner.step()
    assert all(torch.equal(weight, before[name]) for name, weight in learner.state_dict().items())


def test_no_gradient_reaches_the_tokens_or_an_optimiser() -> None:
    learner, (tokens, domains) = head(), batch(0)
    tokens.requires_grad_()
    learner.observe(tokens, domains)
    assert not learner.probability(tokens, domains).requires_grad
    assert tokens.grad is None
    assert [weight for weight in learner.parameters() if weight.requires_grad or weight.grad is not None] == []


def test_its_state_goes_on_where_it_stopped() -> None:
    straight, stopped = head(), head()
    for seed in (0, 1):
        for learner in (straight, stopped):
            learner.observe(*batch(seed))
            learner.step()
    resumed = DomainHead(6, 3, **SETTINGS)
    resumed.load_state_dict(stopped.state_dict())
    for learner in (straight, resumed):
        learner.observe(*batch(2))
        learner.step()
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))
