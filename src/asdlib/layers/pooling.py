"""Attentive pooling of tokens or frames to one vector per clip."""

import torch
from torch import Tensor, nn


class AttentiveStatisticsPooling(nn.Module):
    """Weighted mean and deviation of tokens (B, tokens, width) → (B, 2 · width) (Okabe et al., Interspeech 2018).

    The weights are the softmax over a clip of a score per token: linear, tanh, linear. A bias of the last layer would
    have no effect.
    """

    def __init__(self, width: int, hidden: int = 128):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool tokens; those where `padding` (B, tokens) is True have no weight."""
        weights = token_weights(self.score(tokens), padding)
        return torch.cat(weighted_statistics(tokens, weights), dim=1)


class ChannelStatisticsPooling(nn.Module):
    """Weighted mean and deviation of tokens (B, tokens, width) → (B, 2 · width), with weights for every channel.

    Desplanques et al., Interspeech 2020 (ECAPA-TDNN), as in the toolkit that docs/encoders.md names: what weights a
    token are its channels, and their mean and deviation over the clip.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.hidden = nn.Linear(3 * width, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.score = nn.Linear(hidden, width, bias=False)  # the softmax would take a bias out again

    def forward(self, tokens: Tensor) -> Tensor:
        """Pool tokens, none of which is padding."""
        plain = torch.full_like(tokens[:, :, :1], 1 / tokens.shape[1])
        context = torch.cat(
            [tokens, *(part[:, None].expand_as(tokens) for part in weighted_statistics(tokens, plain))], 2
        )
        hidden = self.norm(self.hidden(context).relu().mT).mT.tanh()
        return torch.cat(weighted_statistics(tokens, self.score(hidden).softmax(1)), 1)


class AttentivePooling(nn.Module):
    """Weighted mean of tokens (B, tokens, width) → (B, width), with weights softmax(wᵀ tanh(W h)) without biases.

    The report of system4 calls this attentive statistical pooling, but its eq. 4 and 6 have a mean and no deviation.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool tokens; those where `padding` (B, tokens) is True have no weight."""
        return (token_weights(self.score(tokens), padding) * tokens).sum(1)


def token_weights(scores: Tensor, padding: Tensor | None) -> Tensor:
    """Return the softmax of scores (B, tokens, 1) over each clip, in float32; `padding` (B, tokens) has no weight."""
    scores = scores.float()
    if padding is not None:
        scores = scores.masked_fill(padding[:, :, None], -torch.inf)
    return scores.softmax(1)


def weighted_statistics(tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weighted mean and deviation of tokens over a clip, (B, width) each; weights have the sum 1."""
    tokens = tokens.float()  # squares in bf16 are too inaccurate for small deviations
    mean = (weights * tokens).sum(1)
    variance = (weights * (tokens - mean[:, None]).square()).sum(1)
    return mean, variance.clamp_min(1e-9).sqrt()
