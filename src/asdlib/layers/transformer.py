"""The transformer block of the ViT family, with the parameter names of public checkpoints (timm's).

The norms come before each branch (Dosovitskiy et al., 2021; AudioMAE, DisMAE) or after each residual sum (Vaswani et
al., 2017; EAT).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention with one linear layer for q, k and v (its rows in this order, each head by head)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend among the tokens of (B, tokens, width)."""
        batch, count, width = tokens.shape
        parts = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, heads, tokens, width / heads)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map each token separately, (…, width)."""
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Residual attention and MLP; in training, a share `drop_path` of the clips skips a branch."""

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
        post_norm: bool = False,
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.post_norm = post_norm
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the block's output for tokens (B, tokens, width)."""
        return self.with_mlp_output(tokens)[0]

    def with_mlp_output(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and its MLP's output before the residual, both (B, tokens, width).

        data2vec and EAT make the student's targets from the second.
        """
        if self.post_norm:
            tokens = self.norm1(tokens + self._drop(self.attn(tokens)))
            added = self.mlp(tokens)
            return self.norm2(tokens + self._drop(added)), added
        tokens = tokens + self._drop(self.attn(self.norm1(tokens)))
        added = self.mlp(self.norm2(tokens))
        return tokens + self._drop(added), added

    def _drop(self, branch: Tensor) -> Tensor:
        """Return a branch (B, …), in training zero for some rows and scaled for the others to keep the mean."""
        if not self.training or self.drop_path == 0.0:
            return branch
        kept = torch.rand(len(branch), *[1] * (branch.dim() - 1), device=branch.device) >= self.drop_path
        return branch * kept / (1 - self.drop_path)


def initialise(module: nn.Module) -> None:
    """Initialise the linear layers in a module with Xavier-uniform weights and zero biases, as MAE does."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
