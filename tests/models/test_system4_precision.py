"""System4's models under bf16 autocast, as on a GPU: loss and embedding are those of float32 but for the rounding."""

import pytest
import torch
from system4_helpers import ADAPTATION, AUDIOMAE, BEATS, FUSION, TUNED, begun, clips

SINGLE, PAIRS = clips(), clips(shape=(48, 2, 128))


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (ADAPTATION, SINGLE),
        ({**AUDIOMAE, **TUNED}, SINGLE),
        (BEATS, SINGLE),
        ({**BEATS, **TUNED}, SINGLE),
        ({**FUSION, "pooling": "attention"}, PAIRS),
        ({**FUSION, "pooling": "mean"}, PAIRS),
    ],
    ids=["adaptation", "audiomae", "beats", "beats_tuned", "attention", "mean"],
)
def test_the_loss_and_its_gradient_survive_autocast(settings: dict, given) -> None:
    torch.manual_seed(0)
    network = begun(settings, given)
    batch = network.examples(given).batch(torch.arange(2))

    def loss() -> torch.Tensor:
        torch.manual_seed(1)  # masks and dropout
        return network.loss(batch)

    exact, embedded = loss().detach(), network.embed(batch)["embedding"]
    with torch.autocast("cpu", torch.bfloat16):
        rounded, roughly = loss(), network.embed(batch)["embedding"].float()
    torch.testing.assert_close(rounded.detach().float(), exact, rtol=0.02, atol=0)
    assert torch.cosine_similarity(roughly, embedded).min() > 0.999
    rounded.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
