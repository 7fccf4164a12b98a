"""No training step of a model waits for the device (tests/separators/test_separators.py: of a separator)."""

import pytest
import torch
from helpers.model_toys import TRAINED, built, toy_clips, toy_of
from helpers.waits import waits
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.runtime.devices import send


@pytest.mark.parametrize("kind", TRAINED)
def test_the_loss_of_a_model(kind: str) -> None:
    clips = toy_clips(toy_of(kind)[1])
    network = built(kind, clips)
    examples = network.examples(clips)
    assert waits(network, examples.batch(torch.arange(min(4, len(examples))))) == 0


class Waiting(nn.Linear):
    """A network with one of the waits."""

    def __init__(self, wait: str):
        super().__init__(4, 4)
        self.wait = wait

    def loss(self, batch: Batch) -> Tensor:
        errors = self(batch.features).square()
        if self.wait == "index":
            errors = errors[batch.features > 0]
        elif self.wait == "item":
            errors = errors * errors.max().item()
        elif self.wait == "copy":
            errors = errors * torch.ones(4).to(errors.device)
        elif self.wait == "tensor":
            errors = errors * torch.tensor(1.0, device=errors.device)
        return errors.mean()


@pytest.mark.parametrize("wait", ["none", "index", "item", "copy", "tensor"])
def test_waits_are_found(wait: str) -> None:
    network, batch = Waiting(wait), Batch(torch.randn(2, 4), torch.ones(2), torch.ones(2))
    if wait in ("index", "item"):
        with pytest.raises((RuntimeError, NotImplementedError)):
            waits(network, batch)
    else:
        assert waits(network, batch) == (wait != "none")


def test_what_is_sent_to_cuda_is_pinned_first(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: steps.append("pin") or tensor)
    monkeypatch.setattr(Tensor, "to", lambda tensor, *place, **how: steps.append((*place, how)) or tensor)
    send(torch.ones(1), torch.device("cuda", 0))
    assert steps == ["pin", (torch.device("cuda", 0), {"non_blocking": True})]
