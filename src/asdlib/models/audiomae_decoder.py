"""AudioMAE as a masked autoencoder: its decoder attends within windows, every other block within shifted ones.

Huang et al., NeurIPS 2022; window attention with cosine similarity and a learned bias over log-spaced distances follows
Swin V2 (Liu et al., 2022). The names are those of the public checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.layers.encoders.audiomae import COLUMNS, NORM_EPS, PATCH, ROWS, TOKENS, AudioMae, positions
from asdlib.layers.patches import place_tokens
from asdlib.layers.transformer import Mlp, initialise

BLOCKS = 16  # the public code builds so many whatever its depth argument says
WINDOW = 4  # tokens on either side
SHIFT = 2  # rows; columns are never shifted
BIAS_HIDDEN = 384
BIAS_DROPOUT = 0.1


class MaskedAutoencoder(AudioMae):
    """Encoder and decoder: normalised spectrograms (B, 1024, 128), some tokens seen → all patches (B, 512, 256)."""

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        decoder_width: int = 512,
        decoder_heads: int = 16,
    ):
        super().__init__(width, depth, heads)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder_width).normal_(std=0.02))
        self.decoder_pos_embed = nn.Parameter(positions(decoder_width), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(
            WindowBlock(decoder_width, decoder_heads, SHIFT * (number % 2)) for number in range(BLOCKS)
        )
        self.decoder_norm = nn.LayerNorm(decoder_width, eps=NORM_EPS)
        self.decoder_pred = nn.Linear(decoder_width, PATCH * PATCH)
        for part in (self.decoder_embed, self.decoder_blocks, self.decoder_pred):
            initialise(part)

    def encode(self, spectrograms: Tensor, visible: Tensor | None = None) -> Tensor:
        """Return the class token and those seen, normed, (B, 1 + kept, width)."""
        return self.norm(self(spectrograms, visible))

    def decode(self, latent: Tensor, visible: Tensor) -> Tensor:
        """Predict every patch's pixels (B, 512, 256) from `encode`'s result for the tokens `visible` (B, kept)."""
        seen = self.decoder_embed(latent)[:, 1:]  # the class token is left out
        tokens = place_tokens(self.mask_token.to(seen.dtype).expand(len(seen), TOKENS, -1), visible, seen)
        grid = (tokens + self.decoder_pos_embed[:, 1:]).unflatten(1, (ROWS, COLUMNS))
        for block in self.decoder_blocks:
            grid = block(grid)
        return self.decoder_pred(self.decoder_norm(grid.flatten(1, 2)))


class WindowBlock(nn.Module):
    """Window attention and MLP on a grid (B, rows, columns, width), each normed before its residual is added."""

    def __init__(self, width: int, heads: int, shift: int):
        super().__init__()
        self.shift = shift
        self.attn = WindowAttention(width, heads)
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, 4 * width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.register_buffer("mask", shift_mask(shift) if shift else None, persistent=False)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, rows, columns, width)."""
        rolled = grid.roll(-self.shift, 1)
        attended = from_windows(self.attn(to_windows(rolled), self.mask)).roll(self.shift, 1)
        grid = grid + self.norm1(attended)
        return grid + self.norm2(self.mlp(grid))


class WindowAttention(nn.Module):
    """Attention among the 16 tokens of a window: scaled cosine similarity and a bias learned from their distance."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.tau = nn.Parameter(torch.ones(heads))  # temperature
        self.meta_mlp = DistanceBias(heads)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Attend within (B, windows, 16, width); `mask` (windows, 16, 16) is added to the scores."""
        parts = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        query, key, value = parts  # each (B, windows, heads, 16, head width)
        norms = query.norm(dim=-1, keepdim=True) * key.norm(dim=-1)[..., None, :]
        scores = query @ key.transpose(-2, -1) / norms.clamp_min(1e-6) / self.tau.clamp_min(0.01)[:, None, None]
        scores = scores + self.meta_mlp()
        if mask is not None:
            scores = scores + mask[:, None]
        mixed = scores.softmax(-1) @ value
        return self.proj(mixed.transpose(-3, -2).flatten(-2))


class DistanceBias(nn.Module):
    """A small network from the distance of two tokens of a window to the bias of their score, (heads, 16, 16)."""

    def __init__(self, heads: int):
        super().__init__()
        self.fc1 = nn.Linear(2, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads)
        self.register_buffer("distances", log_distances(), persistent=False)

    def forward(self) -> Tensor:
        """Return the bias; in training parts of the network are dropped."""
        hidden = functional.dropout(functional.relu(self.fc1(self.distances)), BIAS_DROPOUT, self.training)
        bias = functional.dropout(self.fc2(hidden), BIAS_DROPOUT, self.training)
        return bias.unflatten(0, (WINDOW**2, WINDOW**2)).permute(2, 0, 1)


def log_distances() -> Tensor:
    """Return sign(d) · ln(1 + |d|) of the distances in rows and columns, query less key, query by query, (256, 2)."""
    index = torch.arange(WINDOW**2)
    place = torch.stack([index // WINDOW, index % WINDOW], dim=1).float()
    distance = (place[:, None] - place[None, :]).flatten(0, 1)
    return distance.sign() * distance.abs().log1p()


def to_windows(grid: Tensor) -> Tensor:
    """Cut (B, rows, columns, width) into windows (B, windows, 16, width), row by row in either."""
    rows, columns = grid.shape[1] // WINDOW, grid.shape[2] // WINDOW
    cut = grid.unflatten(2, (columns, WINDOW)).unflatten(1, (rows, WINDOW))
    return cut.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(windows: Tensor) -> Tensor:
    """Put windows (B, windows, 16, width) together again, (B, rows, columns, width)."""
    cut = windows.unflatten(1, (-1, COLUMNS // WINDOW)).unflatten(3, (WINDOW, WINDOW))
    return cut.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(shift: int) -> Tensor:
    """Return what is added to the scores of a grid rolled by `shift` rows, (windows, 16, 16).

    After rolling, the first rows stand behind the last ones: those tokens do not see each other.
    """
    row = torch.arange(ROWS)[None, :, None, None].expand(1, ROWS, COLUMNS, 1)
    region = (row >= ROWS - WINDOW).int() + (row >= ROWS - shift).int()
    windows = to_windows(region)[0, :, :, 0]  # (windows, 16)
    return torch.zeros(len(windows), WINDOW**2, WINDOW**2).masked_fill(windows[:, :, None] != windows[:, None], -100.0)


def masked_error(prediction: Tensor, patches: Tensor, masked: Tensor, squared: bool, per_patch_norm: bool) -> Tensor:
    """Return the mean error of the predicted pixels (B, 512, 256) over the masked patches (B, 512).

    Squared on patches normed one by one is the public pre-training; absolute on the patches as they are is the report's
    (§2.1, eq. 1).
    """
    if per_patch_norm:
        variance = patches.var(-1, keepdim=True)  # over 255
        patches = (patches - patches.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt()
    difference = prediction - patches
    error = difference.square() if squared else difference.abs()
    return error.mean(-1)[masked].mean()
