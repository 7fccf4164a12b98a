"""Many tokens or frames → one vector a clip."""

import torch
from torch import Tensor, nn


class AttentiveStatisticsPooling(nn.Module):
    """Weighted mean and deviation of tokens (B, tokens, width) → (B, 2 · width) (Okabe et al., Interspeech 2018).

    A token's weight is the softmax over the clip of one number: linear, tanh, linear.
    """

    def __init__(self, width: int, hidden: int = 128):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Pool tokens; those of `padding` (B, tokens), True where nothing real is, have no weight."""
        scores = self.score(tokens).squeeze(2).float()
        if padding is not None:
            scores = scores.masked_fill(padding, -torch.inf)
        weights = scores.softmax(1)[:, :, None]  # (B, tokens, 1)
        tokens = tokens.float()  # squares in bf16 would leave little of a small deviation
        mean = (weights * tokens).sum(1)
        variance = (weights * (tokens - mean[:, None]).square()).sum(1)
        return torch.cat([mean, variance.clamp_min(1e-9).sqrt()], dim=1)
