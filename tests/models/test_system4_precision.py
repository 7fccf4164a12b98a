"""System4's models under bf16 autocast, as on a GPU: the results are those of float32 except for rounding."""

import pytest
import torch
from helpers.system4_models import ADAPTATION, AUDIOMAE, BEATS, FUSION, TUNED, begun, clips
from torch import Tensor, nn

from asdlib.examples.clips import Batch

SINGLE, PAIRS = clips(), clips(shape=(48, 2, 128))


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (ADAPTATION, SINGLE),
        (AUDIOMAE, SINGLE),
        ({**AUDIOMAE, **TUNED}, SINGLE),
        (BEATS, SINGLE),
        ({**BEATS, **TUNED}, SINGLE),
        ({**FUSION, "pooling": "attention"}, PAIRS),
        ({**FUSION, "pooling": "mean"}, PAIRS),
    ],
    ids=["adaptation", "audiomae", "audiomae_tuned", "beats", "beats_tuned", "attention", "mean"],
)
def test_loss_gradient_and_embedding_survive_autocast(settings: dict, given) -> None:
    torch.manual_seed(0)
    network = begun(settings, given)
    if hasattr(network, "head"):  # with a new head's tiny weights the loss is at chance level
        nn.init.normal_(network.head.weight)
    batch = network.examples(given).batch(torch.arange(2))
    exact, straight = loss_and_gradient(network, batch, bf16=False)
    rounded, roughly = loss_and_gradient(network, batch, bf16=True)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0)
    assert roughly.isfinite().all()
    assert torch.cosine_similarity(roughly, straight, dim=0) > 0.99
    with torch.autocast("cpu", torch.bfloat16):
        embedding = network.embed(batch)["embedding"].float()
    assert torch.cosine_similarity(embedding, network.embed(batch)["embedding"]).min() > 0.999


def loss_and_gradient(network: nn.Module, batch: Batch, bf16: bool) -> tuple[Tensor, Tensor]:
    """Return the loss and its flattened gradient without that of the head, which would dominate it."""
    network.zero_grad()
    torch.manual_seed(1)  # for masks and dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = network.loss(batch)
    loss.backward()
    learning = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    assert not [name for name, gradient in learning.items() if gradient is None]
    below = [gradient.flatten() for name, gradient in learning.items() if not name.startswith("head.")]
    return loss.detach().float(), torch.cat(below)
