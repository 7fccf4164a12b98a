"""AudioMAE with its decoder, as a masked autoencoder (Huang et al., NeurIPS 2022).

The decoder attends within windows, which are shifted in every other block. The window attention, with cosine similarity
and a learned bias over log-spaced distances, follows Swin V2 (Liu et al., 2022). Weights have the names of the public
checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.layers.encoders.audiomae import COLUMNS, NORM_EPS, PATCH, ROWS, TOKENS, AudioMae, positions
from asdlib.layers.patches import place_tokens
from asdlib.layers.transformer import Mlp, initialise

BLOCKS = 16  # the public code builds this many, whatever its depth argument
WINDOW = 4  # tokens per side
SHIFT = 2  # rows; columns are never shifted
BIAS_HIDDEN = 384
BIAS_DROPOUT = 0.1


class MaskedAutoencoder(AudioMae):
    """Encoder and decoder: visible tokens of normalised spectrograms (B, 1024, 128) → all patches (B, 512, 256).

    Without `shifted`, all blocks of the decoder have the same windows; no recipe sets it, the reference outputs do.
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        decoder_width: int = 512,
        decoder_heads: int = 16,
        mlp_ratio: float = 4.0,
        shifted: bool = True,
    ):
        super().__init__(width, depth, heads, mlp_ratio)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder_width).normal_(std=0.02))
        self.decoder_pos_embed = nn.Parameter(positions(decoder_width), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(
            WindowBlock(decoder_width, decoder_heads, SHIFT * (number % 2) * shifted, mlp_ratio)
            for number in range(BLOCKS)
        )
        self.decoder_norm = nn.LayerNorm(decoder_width, eps=NORM_EPS)
        self.decoder_pred = nn.Linear(decoder_width, PATCH * PATCH)
        for part in (self.decoder_embed, self.decoder_blocks, self.decoder_pred):
            initialise(part)

    def encode(self, spectrograms: Tensor, visible: Tensor | None = None) -> Tensor:
        """Return the normalised class token and visible tokens, (B, 1 + kept, width)."""
        return self.norm(self(spectrograms, visible))

    def decode(self, latent: Tensor, visible: Tensor) -> Tensor:
        """Return the pixels of all patches (B, 512, 256), predicted from the result of `encode`.

        `visible` (B, kept) are the indices of the tokens that were encoded.
        """
        seen = self.decoder_embed(latent)[:, 1:]  # the class token is left out
        tokens = place_tokens(self.mask_token.to(seen.dtype).expand(len(seen), TOKENS, -1), visible, seen)
        grid = (tokens + self.decoder_pos_embed[:, 1:]).unflatten(1, (ROWS, COLUMNS))
        for block in self.decoder_blocks:
            grid = block(grid)
        return self.decoder_pred(self.decoder_norm(grid.flatten(1, 2)))


class WindowBlock(nn.Module):
    """Window attention and MLP on a grid (B, rows, columns, width); a norm precedes each residual connection."""

    def __init__(self, width: int, heads: int, shift: int, mlp_ratio: float):
        super().__init__()
        self.shift = shift
        self.attn = WindowAttention(width, heads)
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, int(width * mlp_ratio))
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.register_buffer("mask", shift_mask(shift) if shift else None, persistent=False)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, rows, columns, width)."""
        rolled = grid.roll(-self.shift, 1)
        attended = from_windows(self.attn(to_windows(rolled), self.mask)).roll(self.shift, 1)
        grid = grid + self.norm1(attended)
        return grid + self.norm2(self.mlp(grid))


class WindowAttention(nn.Module):
    """Attention among the 16 tokens of a window, with scaled cosine similarity and a learned distance bias."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.tau = nn.Parameter(torch.ones(heads))  # temperature
        self.meta_mlp = DistanceBias(heads)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Return the attended windows (B, windows, 16, width); `mask` (windows, 16, 16) is added to the scores."""
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
    """A small network that maps the distance of two tokens to the bias of their score, (heads, 16, 16)."""

    def __init__(self, heads: int):
        super().__init__()
        self.fc1 = nn.Linear(2, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads)
        self.register_buffer("distances", log_distances(), persistent=False)

    def forward(self) -> Tensor:
        """Return the bias (heads, 16, 16), with dropout in training mode."""
        hidden = functional.dropout(functional.relu(self.fc1(self.distances)), BIAS_DROPOUT, self.training)
        bias = functional.dropout(self.fc2(hidden), BIAS_DROPOUT, self.training)
        return bias.unflatten(0, (WINDOW**2, WINDOW**2)).permute(2, 0, 1)


def log_distances() -> Tensor:
    """Return sign(d) · ln(1 + |d|) for all (query, key) pairs of a window, query by query, (256, 2).

    d is the distance in rows and columns from the key to the query.
    """
    index = torch.arange(WINDOW**2)
    position = torch.stack([index // WINDOW, index % WINDOW], dim=1).float()
    distance = (position[:, None] - position[None, :]).flatten(0, 1)
    return distance.sign() * distance.abs().log1p()


def to_windows(grid: Tensor) -> Tensor:
    """Divide a grid (B, rows, columns, width) into windows (B, windows, 16, width); both are in row-major order."""
    rows, columns = grid.shape[1] // WINDOW, grid.shape[2] // WINDOW
    cut = grid.unflatten(2, (columns, WINDOW)).unflatten(1, (rows, WINDOW))
    return cut.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(windows: Tensor) -> Tensor:
    """Return the grid (B, rows, columns, width) that consists of windows (B, windows, 16, width)."""
    cut = windows.unflatten(1, (-1, COLUMNS // WINDOW)).unflatten(3, (WINDOW, WINDOW))
    return cut.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(shift: int) -> Tensor:
    """Return the mask for the scores of a grid that is rolled by `shift` rows, (windows, 16, 16).

    Rolling moves the first rows behind the last ones; the mask keeps the tokens of both from attending to each other.
    """
    row = torch.arange(ROWS)[None, :, None, None].expand(1, ROWS, COLUMNS, 1)
    windows = to_windows(row >= ROWS - shift)[0, :, :, 0]  # (windows, 16); True: a row that was moved
    return torch.zeros(len(windows), WINDOW**2, WINDOW**2).masked_fill(windows[:, :, None] != windows[:, None], -100.0)


def masked_pixel_error(
    prediction: Tensor, patches: Tensor, hidden: Tensor, squared: bool, per_patch_norm: bool
) -> Tensor:
    """Return the mean error of the predicted pixels (B, 512, 256) over the patches with indices `hidden` (B, masked).

    The public pre-training uses the squared error of patches that are normalised one by one. The report uses the
    absolute error without this normalisation (§2.1, eq. 1); `squared` and `per_patch_norm` are for reference outputs.
    """
    if per_patch_norm:
        variance = patches.var(-1, keepdim=True)  # over 255
        patches = (patches - patches.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt()
    difference = prediction - patches
    error = difference.square() if squared else difference.abs()
    return error.mean(-1).gather(1, hidden).mean()
