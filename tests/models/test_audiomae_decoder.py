"""The attention of AudioMAE's decoder at its limits; parity with the official code is tested in tests/parity."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from asdlib.models.audiomae_decoder import WindowAttention


@torch.no_grad()
@pytest.mark.parametrize(("temperature", "used"), [(0.5, 0.5), (0.012, 0.012), (0.01, 0.01), (0.001, 0.01), (-1, 0.01)])
def test_the_temperature_of_the_cosine_similarity_is_at_least_a_hundredth(temperature: float, used: float) -> None:
    torch.manual_seed(0)
    attention, windows = WindowAttention(8, 2).eval(), torch.randn(1, 3, 16, 8)
    attention.tau.fill_(temperature)
    query, key, value = attention.qkv(windows).view(1, 3, 16, 3, 2, 4).permute(3, 0, 1, 4, 2, 5)
    similarity = cosine_similarity(query[..., :, None, :], key[..., None, :, :], dim=-1)
    mixed = (similarity / used + attention.meta_mlp()).softmax(-1) @ value
    expected = attention.proj(mixed.transpose(2, 3).reshape(1, 3, 16, 8))
    torch.testing.assert_close(attention(windows, None), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_distance_bias_has_dropout_in_training_alone() -> None:
    torch.manual_seed(0)
    bias = WindowAttention(8, 2).meta_mlp
    whole = bias.eval()()
    assert torch.equal(whole, bias())
    dropped = bias.train()()
    kept = dropped != 0
    assert kept.float().mean() == pytest.approx(0.9, abs=0.05)
    assert not torch.allclose(dropped[kept], whole[kept] / 0.9), "the layer before it has dropout, too"
