"""The encoder and decoder of EAT.

Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024. The architecture is that
of data2vec 2.0 on spectrograms: a post-norm ViT over one utterance token and 16 × 16 patches, and a small convolutional
decoder over the grid of patches. Grids are time × frequency, row-major.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.layers.patches import PatchEmbedding, sine_cosine_positions
from asdlib.layers.transformer import Block, initialise
from asdlib.weights.published.files import check_keys

PATCH = 16


class EatEncoder(nn.Module):
    """Spectrograms (B, frames, bands) → tokens (B, 1 + patches, width), with the utterance token first.

    Positions are defined for a grid of `rows` × `columns` patches; shorter spectrograms use the first rows.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        width: int,
        depth: int,
        heads: int,
        drop_path: float = 0.0,
        mlp_ratio: float = 4.0,
    ):
        super().__init__()
        self.extra_tokens = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.local_encoder = PatchEmbedding(width, PATCH)
        self.register_buffer("positions", sine_cosine_positions(rows, columns, width)[None])
        self.pre_norm = nn.LayerNorm(width, eps=1e-6)
        rates = [
            drop_path * number / max(1, depth - 1) for number in range(depth)
        ]  # deeper blocks are dropped more often
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio, post_norm=True, drop_path=rate) for rate in rates)
        initialise(self.blocks)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return the last block's tokens, which are normalised because the norm comes last."""
        return self.encode(self.patches(spectrograms))

    def patches(self, spectrograms: Tensor) -> Tensor:
        """Return the embedded patches with their positions, (B, patches, width)."""
        tokens = self.local_encoder(spectrograms)
        return tokens + self.positions[:, : tokens.shape[1]]

    def encode(self, patches: Tensor) -> Tensor:
        """Return the tokens of any subset of the patches, (B, kept, width) → (B, 1 + kept, width)."""
        tokens = self.begin(patches)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def begin(self, patches: Tensor) -> Tensor:
        """Return the first block's input, normalised: the utterance token, which has no position, and the patches."""
        return self.pre_norm(torch.cat([self.extra_tokens.expand(len(patches), -1, -1), patches], dim=1))

    def mlp_outputs(self, spectrograms: Tensor) -> list[Tensor]:
        """Return each block's MLP output before its residual, without the utterance token, (B, patches, width)."""
        tokens = self.begin(self.patches(spectrograms))
        outputs = []
        for block in self.blocks:
            tokens, added = block.with_mlp_output(tokens)
            outputs.append(added[:, 1:])
        return outputs

    def load(self, weights: Mapping[str, Tensor], source: str, prefix: str = "encoder.") -> None:
        """Load published or trained weights whose names begin with `prefix`; every key is checked.

        A published table of positions is much longer than ten seconds; its first rows are used.
        """
        given = {name: tensor for name, tensor in weights.items() if name.startswith(prefix)}
        table = f"{prefix}positions"
        if table in given:
            given[table] = given[table][:, : self.positions.shape[1]]
        load_exactly(self, given, source, prefix)


class EatDecoder(nn.Module):
    """Tokens (B, rows · columns, width) → predictions of the same shape: residual grouped convolutions on the grid.

    The convolutions have `hidden` channels; the first has no residual where these are not `width`.
    """

    def __init__(self, columns: int, width: int, hidden: int, depth: int, kernel: int, groups: int):
        super().__init__()
        self.columns = columns
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, hidden, kernel, padding=kernel // 2, groups=groups),
                ChannelNorm(),
                nn.GELU(),
            )
            for inputs in [width, *[hidden] * (depth - 1)]
        )
        self.proj = nn.Linear(hidden, width)
        initialise(self.proj)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the convolutions to the grid of tokens, then a linear layer."""
        batch, count, width = tokens.shape
        grid = tokens.transpose(1, 2).reshape(batch, width, count // self.columns, self.columns)
        for block in self.blocks:
            found = block(grid)[..., : grid.shape[2], : grid.shape[3]]  # an even kernel gives one row and column more
            grid = grid + found if grid.shape == found.shape else found
        return self.proj(grid.flatten(2).transpose(1, 2))


class ChannelNorm(nn.Module):
    """Normalises a grid (B, channels, rows, columns) over its channels, without parameters."""

    def forward(self, grid: Tensor) -> Tensor:
        """Return the grid with mean 0 and deviation 1 over the channels at every position."""
        return functional.layer_norm(grid.permute(0, 2, 3, 1), grid.shape[1:2]).permute(0, 3, 1, 2)


def load_exactly(module: nn.Module, weights: Mapping[str, Tensor], source: str, prefix: str) -> None:
    """Load weights named `prefix`… into a module; raise AsdError, naming the key, unless names and shapes match."""
    expected = {f"{prefix}{name}": tensor.shape for name, tensor in module.state_dict().items()}
    check_keys(source, weights, expected)
    module.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in weights.items()})
