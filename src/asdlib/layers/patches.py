"""Square patches of spectrograms and their positions.

The grid of patches is always row-major: patch n is at row n // columns and column n % columns. For a spectrogram
(frames, bands), rows are time and columns are frequency.
"""

import torch
from torch import Tensor, nn


class PatchEmbedding(nn.Module):
    """Spectrograms (B, frames, bands) → tokens (B, rows · columns, width): one convolution, kernel = stride = patch."""

    def __init__(self, width: int, patch: int = 16, bias: bool = True):
        super().__init__()
        self.proj = nn.Conv2d(1, width, kernel_size=patch, stride=patch, bias=bias)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Embed all complete patches; frames and bands at the end that do not fill a patch are left out."""
        return self.proj(spectrograms[:, None]).flatten(2).transpose(1, 2)


def patchify(spectrograms: Tensor, patch: int = 16) -> Tensor:
    """Return the patches of (B, frames, bands), each flattened row by row, (B, rows · columns, patch²)."""
    batch, frames, bands = spectrograms.shape
    grid = spectrograms.reshape(batch, frames // patch, patch, bands // patch, patch)
    return grid.transpose(2, 3).reshape(batch, -1, patch * patch)


def sine_cosine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Return fixed two-dimensional position encodings (rows · columns, width), float32 (He et al., 2022, MAE).

    The first half of the width encodes the column, the second half the row. Each half holds the sines, then the
    cosines of the index times 10000^(-k / (width / 4)), k = 0 … width / 4 - 1.
    """
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.cat([_waves(column.flatten(), width // 2), _waves(row.flatten(), width // 2)], dim=1)


def _waves(index: Tensor, width: int) -> Tensor:
    """Return sines and cosines of (N,) indices, (N, width)."""
    rates = 10000.0 ** (-torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    angles = index.double()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def take_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Return the tokens of (B, tokens, width) at indices (B, kept), (B, kept, width)."""
    return tokens.gather(1, indices[:, :, None].expand(-1, -1, tokens.shape[2]))


def place_tokens(background: Tensor, indices: Tensor, tokens: Tensor) -> Tensor:
    """Return `background` (B, tokens, width) with `tokens` (B, kept, width) at indices (B, kept)."""
    return background.scatter(1, indices[:, :, None].expand(-1, -1, background.shape[2]), tokens)
