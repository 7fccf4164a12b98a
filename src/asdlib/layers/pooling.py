"""Many tokens or frames → one vector a clip."""

import torch
from torch import Tensor, nn


class AttentiveStatisticsPooling(nn.Module):
    """Weighted mean and deviation of tokens (B, tokens, width) → (B, 2 · width) (Okabe et al., Interspeech 2018).

    A token's weight is the softmax over the clip of one number: linear, tanh, linear (whose bias would change nothing).
    """

    def __init__(self, width: int, hidden: int = 128):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool tokens; those of `padding` (B, tokens), True where nothing real is, have no weight."""
        weights = token_weights(self.score(tokens), padding)
        tokens = tokens.float()  # squares in bf16 would leave little of a small deviation
        mean = (weights * tokens).sum(1)
        variance = (weights * (tokens - mean[:, None]).square()).sum(1)
        return torch.cat([mean, variance.clamp_min(1e-9).sqrt()], dim=1)


class AttentivePooling(nn.Module):
    """Weighted mean of tokens (B, tokens, width) → (B, width); a token's weight is softmax(wᵀ tanh(W h)), no biases.

    What system4's report calls attentive statistical pooling: its eq. 4 and 6 have a mean and no deviation.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool tokens; those of `padding` (B, tokens), True where nothing real is, have no weight."""
        return (token_weights(self.score(tokens), padding) * tokens).sum(1)


def token_weights(scores: Tensor, padding: Tensor | None) -> Tensor:
    """Return the softmax of scores (B, tokens, 1) over a clip in float32; padding (B, tokens) has no weight."""
    scores = scores.float()
    if padding is not None:
        scores = scores.masked_fill(padding[:, :, None], -torch.inf)
    return scores.softmax(1)
