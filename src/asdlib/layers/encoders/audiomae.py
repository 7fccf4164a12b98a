"""The encoder of AudioMAE (Huang et al., NeurIPS 2022), with the parameter names of its public checkpoints.

It is a ViT over 16 × 16 patches of a log-mel spectrogram of fixed length, 64 in time and 8 in frequency. It can encode
a subset of the patches.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.layers.patches import PatchEmbedding, sine_cosine_positions, take_tokens
from asdlib.layers.transformer import Block, initialise

PATCH = 16
FRAMES, BANDS = 1024, 128  # of every input
ROWS, COLUMNS = FRAMES // PATCH, BANDS // PATCH
TOKENS = ROWS * COLUMNS
NORM_EPS = 1e-6
MEAN, STD = -4.2677393, 4.5689974  # of the log-mel over AudioSet


class AudioMae(nn.Module):
    """Spectrograms (B, 1024, 128) → tokens (B, 1 + 512 or the visible ones, width), with the class token first."""

    def __init__(self, width: int = 768, depth: int = 12, heads: int = 12, mlp_ratio: float = 4.0):
        super().__init__()
        self.patch_embed = PatchEmbedding(width, PATCH)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.pos_embed = nn.Parameter(positions(width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        initialise(self.blocks)

    def forward(self, spectrograms: Tensor, visible: Tensor | None = None) -> Tensor:
        """Encode normalised spectrograms; `visible` (B, kept) are the indices of the tokens to encode (None: all)."""
        tokens = self.patch_embed(spectrograms) + self.pos_embed[:, 1:]  # (B, 512, width)
        if visible is not None:
            tokens = take_tokens(tokens, visible)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


def positions(width: int) -> Tensor:
    """Return the fixed position encodings of the class token (zero) and the 512 patches, (1, 513, width).

    The public code computes them for a grid of 8 × 64, although the patches form a grid of 64 × 8: token n has the
    encodings of n % 64 and n // 64. Its checkpoints were trained in this way.
    """
    return functional.pad(sine_cosine_positions(COLUMNS, ROWS, width), (0, 0, 1, 0))[None]


def normalised(log_mel: Tensor, frames: Tensor) -> Tensor:
    """Return log-mel spectrograms (B, frames, 128) cut or padded to 1024 frames and normalised as for AudioSet.

    The values after each clip's real `frames` (B,) become zero *before* the normalisation, like the padding of the
    public code.
    """
    filled = functional.pad(log_mel, (0, 0, 0, FRAMES - log_mel.shape[1]))  # a negative pad cuts
    real = torch.arange(FRAMES, device=frames.device) < frames[:, None]  # (B, 1024)
    return (filled.masked_fill(~real[:, :, None], 0.0) - MEAN) / (2 * STD)
