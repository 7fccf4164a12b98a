"""The stages of SepReformer: an encoder with decreasing frame rate, an early split into sources, and a decoder.

Shin et al., NeurIPS 2024. Features are (B, F, frames) outside the blocks. Modules have the parameter names of the
public checkpoints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.separators.sepreformer_layers import GlobalBlock, LocalBlock, SourceAttention


@dataclass(frozen=True)
class Sizes:
    """Sizes of the separator, with the paper's symbols in the comments."""

    channels: int  # F
    stages: int  # R
    heads: int
    local_kernel: int  # K
    down_kernel: int
    positions: int  # farther relative positions share one embedding
    dropout: float
    shared_split: bool  # True: one layer splits all stages into sources; False: each stage has its own
    sources: int = 2


class RelativePositions(nn.Module):
    """Embeddings of the distance between two frames at the coarsest rate, shared by all layers."""

    def __init__(self, positions: int, dims: int):
        super().__init__()
        self.positions = positions
        self.pe_k = nn.Embedding(2 * positions, dims)

    def forward(self, frames: int) -> Tensor:
        """Return the keys (frames, frames, dims) of all pairs of frames."""
        index = torch.arange(frames, device=self.pe_k.weight.device)
        distance = (index[:, None] - index).clamp(-self.positions, self.positions - 1)
        return self.pe_k(distance + self.positions)


class DownSampling(nn.Module):
    """A depthwise convolution that halves the frame rate."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.down_conv = nn.Conv1d(channels, channels, kernel, stride=2, padding=(kernel - 1) // 2, groups=channels)
        self.BN = nn.BatchNorm1d(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, F, frames) to (B, F, frames / 2)."""
        return functional.gelu(self.BN(self.down_conv(inputs)))


class EncoderStage(nn.Module):
    """Two pairs of a global and a local block, followed by halving the frame rate if `down` is true."""

    def __init__(self, sizes: Sizes, down: bool):
        super().__init__()
        self.g_block_1 = GlobalBlock(sizes.channels, sizes.heads, sizes.dropout)
        self.l_block_1 = LocalBlock(sizes.channels, sizes.local_kernel, sizes.dropout)
        self.g_block_2 = GlobalBlock(sizes.channels, sizes.heads, sizes.dropout)
        self.l_block_2 = LocalBlock(sizes.channels, sizes.local_kernel, sizes.dropout)
        self.downconv = DownSampling(sizes.channels, sizes.down_kernel) if down else None

    def forward(self, inputs: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, F, frames) to the input of the next stage and the skip connection (B, F, frames)."""
        hidden = self.l_block_1(self.g_block_1(inputs.mT, positions))
        skip = self.l_block_2(self.g_block_2(hidden, positions)).mT
        return skip if self.downconv is None else self.downconv(skip), skip


class SourceSplit(nn.Module):
    """A split of one stage's features into those of each source."""

    def __init__(self, channels: int, sources: int):
        super().__init__()
        self.sources = sources
        self.linear = nn.Sequential(
            nn.Conv1d(channels, 4 * channels * sources, 1),
            nn.GLU(dim=1),
            nn.Conv1d(2 * channels * sources, channels * sources, 1),
        )
        self.norm = nn.GroupNorm(1, channels, eps=1e-8)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, F, frames) to (B · sources, F, frames); the sources of a mixture are adjacent."""
        return self.norm(self.linear(inputs).unflatten(1, (self.sources, -1)).flatten(0, 1))


class DecoderStage(nn.Module):
    """Three repeats of a global block, a local block and attention between the sources."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sources = sizes.sources
        for number in (1, 2, 3):
            self.add_module(f"g_block_{number}", GlobalBlock(sizes.channels, sizes.heads, sizes.dropout))
            self.add_module(f"l_block_{number}", LocalBlock(sizes.channels, sizes.local_kernel, sizes.dropout))
            self.add_module(f"spk_attn_{number}", SourceAttention(sizes.channels, sizes.heads, sizes.dropout))

    def forward(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """Map (B · sources, F, frames) to the same shape."""
        hidden = inputs.mT
        for number in (1, 2, 3):
            hidden = self.get_submodule(f"g_block_{number}")(hidden, positions)
            hidden = self.get_submodule(f"l_block_{number}")(hidden)
            hidden = self.get_submodule(f"spk_attn_{number}")(hidden, self.sources)
        return hidden.mT


class SourceSeparator(nn.Module):
    """The encoder, the split and the decoder, from a mixture's features to those of its sources."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        channels, stages = sizes.channels, sizes.stages
        self.shared_split = sizes.shared_split
        self.pos_emb = RelativePositions(sizes.positions, channels // sizes.heads)
        self.enc_stages = nn.ModuleList(EncoderStage(sizes, down=True) for _ in range(stages))
        self.bottleneck_G = EncoderStage(sizes, down=False)
        if sizes.shared_split:
            self.spk_split_block = SourceSplit(channels, sizes.sources)
        else:
            self.spk_split_blocks = nn.ModuleList(SourceSplit(channels, sizes.sources) for _ in range(stages + 1))
        self.simple_fusion = nn.ModuleList(nn.Conv1d(2 * channels, channels, 1) for _ in range(stages))
        self.dec_stages = nn.ModuleList(DecoderStage(sizes) for _ in range(stages))

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map (B, F, frames) to the sources' features (B · sources, F, frames padded to a multiple of 2^R).

        The second result is the list of the decoder stages' inputs, coarsest first.
        """
        coarsest = 2 ** len(self.enc_stages)
        features = functional.pad(features, (0, -features.shape[-1] % coarsest))
        positions = self.pos_emb(features.shape[-1] // coarsest)
        skips = []
        for number, stage in enumerate(self.enc_stages):
            features, skip = stage(features, positions)
            skips.append(self._split(number, skip))
        hidden = self._split(-1, self.bottleneck_G(features, positions)[0])
        starts = []
        for fusion, stage in zip(self.simple_fusion, self.dec_stages, strict=True):
            starts.append(hidden)
            skip = skips.pop()
            finer = functional.interpolate(hidden, size=skip.shape[-1], mode="nearest")
            hidden = stage(fusion(torch.cat([finer, skip], 1)), positions)
        return hidden, starts

    def _split(self, number: int, features: Tensor) -> Tensor:
        """Return one stage's features, split into sources."""
        return (self.spk_split_block if self.shared_split else self.spk_split_blocks[number])(features)
