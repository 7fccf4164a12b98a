"""Tests of attentive pooling: equal and extreme weights, padding and gradients."""

import torch

from asdlib.layers.pooling import AttentivePooling, AttentiveStatisticsPooling, ChannelStatisticsPooling


def pooling() -> AttentiveStatisticsPooling:
    torch.manual_seed(0)
    return AttentiveStatisticsPooling(6, hidden=4)


def test_equal_weights_give_mean_and_deviation() -> None:
    equal = pooling()
    torch.nn.init.zeros_(equal.score[2].weight)
    tokens = torch.randn(3, 50, 6)
    expected = torch.cat([tokens.mean(1), tokens.std(1, correction=0)], dim=1)
    torch.testing.assert_close(equal(tokens), expected)


def test_a_token_that_draws_all_attention_is_the_mean_without_deviation() -> None:
    greedy = pooling()
    tokens = torch.randn(1, 5, 6)
    tokens[0, 3] = 100 * greedy.score[0].weight[0] * greedy.score[2].weight[0, 0].sign()
    greedy.score[2].weight.data *= 1e4
    pooled = greedy(tokens)
    torch.testing.assert_close(pooled[:, :6], tokens[:, 3])
    assert pooled[:, 6:].max() < 1e-3


def test_padding_has_no_weight() -> None:
    pool = pooling()
    tokens = torch.randn(2, 8, 6)
    padding = torch.arange(8) >= torch.tensor([[8], [5]])
    pooled = pool(tokens, padding)
    torch.testing.assert_close(pooled[1:], pool(tokens[1:, :5]))
    torch.testing.assert_close(pooled[:1], pool(tokens[:1]))


def test_constant_tokens_have_finite_gradients() -> None:
    tokens = torch.ones(2, 4, 6, requires_grad=True)
    pooling()(tokens).sum().backward()
    assert torch.isfinite(tokens.grad).all()


def test_the_mean_alone_has_the_weights_of_the_equation() -> None:
    torch.manual_seed(0)
    pool = AttentivePooling(6, hidden=4)
    tokens = torch.randn(2, 8, 6)
    first, second = pool.score[0].weight, pool.score[2].weight[0]
    weights = torch.softmax(torch.tanh(tokens @ first.T) @ second, dim=1)
    torch.testing.assert_close(pool(tokens), torch.einsum("bt,btd->bd", weights, tokens))
    padding = torch.arange(8) >= torch.tensor([[8], [5]])
    torch.testing.assert_close(pool(tokens, padding)[1:], pool(tokens[1:, :5]))


def test_channels_have_weights_of_their_own_in_the_context_of_the_clip() -> None:
    torch.manual_seed(0)
    pool = ChannelStatisticsPooling(6, hidden=4).eval()
    tokens = torch.randn(3, 50, 6)
    mean, deviation = tokens.mean(1, keepdim=True), tokens.std(1, correction=0, keepdim=True)
    context = torch.cat([tokens, mean.expand_as(tokens), deviation.expand_as(tokens)], 2)
    hidden = torch.relu(context @ pool.hidden.weight.T + pool.hidden.bias)
    hidden = hidden / (1 + pool.norm.eps) ** 0.5  # batch norm as it is at first
    weights = (hidden.tanh() @ pool.score.weight.T).softmax(1)
    assert weights.std(2).min() > 0
    mean = (weights * tokens).sum(1)
    deviation = ((weights * tokens.square()).sum(1) - mean.square()).sqrt()
    torch.testing.assert_close(pool(tokens), torch.cat([mean, deviation], 1))


def test_channels_without_attention_are_pooled_to_mean_and_deviation() -> None:
    pool = ChannelStatisticsPooling(6, hidden=4)
    torch.nn.init.zeros_(pool.score.weight)
    tokens = torch.randn(3, 50, 6)
    torch.testing.assert_close(pool(tokens), torch.cat([tokens.mean(1), tokens.std(1, correction=0)], dim=1))
