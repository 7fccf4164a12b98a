"""Tests of the transformer block: attention by its definition, both orders of the norms, and dropped branches."""

import pytest
import torch
from torch.nn import functional

from asdlib.layers.transformer import Attention, Block, initialise


def test_attention_is_the_weighted_mean_of_values() -> None:
    attention = Attention(8, heads=2)
    tokens = torch.randn(2, 5, 8)
    mixed = []
    for head in range(2):
        query, key, value = (part[..., 4 * head : 4 * head + 4] for part in attention.qkv(tokens).chunk(3, dim=-1))
        mixed.append(torch.softmax(query @ key.transpose(1, 2) / 2.0, dim=-1) @ value)  # 2 = sqrt(4)
    torch.testing.assert_close(attention(tokens), attention.proj(torch.cat(mixed, dim=-1)))


@pytest.mark.parametrize("post_norm", [True, False])
def test_the_norms_stand_where_they_should(post_norm: bool) -> None:
    block = Block(8, 2, post_norm=post_norm)
    tokens = torch.randn(2, 5, 8)
    out, added = block.with_mlp_output(tokens)
    if post_norm:
        middle = block.norm1(tokens + block.attn(tokens))
        torch.testing.assert_close(added, block.mlp(middle))
        torch.testing.assert_close(out, block.norm2(middle + added))
        torch.testing.assert_close(functional.layer_norm(out, (8,)), out, rtol=0, atol=1e-4)
    else:
        middle = tokens + block.attn(block.norm1(tokens))
        torch.testing.assert_close(added, block.mlp(block.norm2(middle)))
        torch.testing.assert_close(out, middle + added)


def test_a_dropped_branch_leaves_the_tokens_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    block = Block(8, 2, drop_path=0.25)
    branch = torch.ones(4000, 3, 2)
    dropped = block._drop(branch)
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    torch.testing.assert_close(dropped, dropped[:, :1, :1].expand_as(branch))  # a clip's tokens stay together
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)
    assert torch.equal(block.eval()._drop(branch), branch)


def test_the_names_are_those_of_public_checkpoints() -> None:
    names = {"norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}
    assert set(Block(8, 2).state_dict()) == {f"{name}.{part}" for name in names for part in ("weight", "bias")}


def test_a_fresh_block_has_no_biases() -> None:
    block = Block(8, 2)
    initialise(block)
    assert not block.attn.qkv.bias.any()
    assert float(block.attn.qkv.weight.detach().abs().max()) == pytest.approx((6 / (8 + 24)) ** 0.5, rel=0.1)
