"""The layers of SepReformer: global and local transformer blocks, and attention between sources.

Shin et al., "Separate and Reconstruct: Asymmetric Encoder-Decoder for Speech Separation", NeurIPS 2024. Features are
(B, frames, F). Modules have the parameter names of the public checkpoints.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.separators.depthwise import DepthwiseConv


class LayerScale(nn.Module):
    """A learned gain per channel for a residual branch; initialised near 0, so that every block starts as identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.layer_scale = nn.Parameter(torch.full((1, 1, channels), 1e-5))

    def forward(self, inputs: Tensor) -> Tensor:
        """Scale (B, frames, F)."""
        return inputs * self.layer_scale


class SelfAttention(nn.Module):
    """Multi-head self-attention between a layer norm and a layer scale; the caller adds the residual."""

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.layer_norm = nn.LayerNorm(channels)
        self.linear_q = nn.Linear(channels, channels)
        self.linear_k = nn.Linear(channels, channels)
        self.linear_v = nn.Linear(channels, channels)
        self.linear_out = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.Layer_scale = LayerScale(channels)

    def forward(self, inputs: Tensor, positions: Tensor | None = None) -> Tensor:
        """Attend among the P entries of (B, P, F), optionally with keys for relative `positions` (P, P, F / heads)."""
        normed = self.layer_norm(inputs)
        query, key, value = (
            linear(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, P, F / heads)
            for linear in (self.linear_q, self.linear_k, self.linear_v)
        )
        scores = query @ key.mT  # (B, heads, P, P)
        if positions is not None:
            scores = scores + torch.einsum("bhid,ijd->bhij", query, positions)
        weights = self.dropout(torch.softmax(scores / math.sqrt(query.shape[-1]), dim=-1))
        attended = (weights @ value).transpose(1, 2).flatten(2)  # (B, P, F)
        return self.Layer_scale(self.dropout(self.linear_out(attended)))


class GatedConvFeedForward(nn.Module):
    """GCFN: a residual feed-forward layer with a short depthwise convolution and a gate."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        self.net1 = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, 6 * channels))
        self.depthwise = DepthwiseConv(6 * channels, 3)
        self.net2 = nn.Sequential(nn.GLU(), nn.Dropout(dropout), nn.Linear(3 * channels, channels), nn.Dropout(dropout))
        self.Layer_scale = LayerScale(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, frames, F) to the same shape."""
        return inputs + self.Layer_scale(self.net2(self.depthwise(self.net1(inputs))))


class EfficientGlobalAttention(nn.Module):
    """EGA: residual attention at the coarsest frame rate, upsampled and gated."""

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        gate = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels), nn.Sigmoid())
        self.block = nn.ModuleDict({"self_attn": SelfAttention(channels, heads, dropout), "linear": gate})

    def forward(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """Map (B, frames, F) to the same shape; `positions` (P, P, F / heads) are those of the P coarsest frames."""
        coarse = functional.adaptive_avg_pool1d(inputs.mT, len(positions)).mT  # (B, P, F)
        attended = self.block["self_attn"](coarse, positions)
        fine = functional.interpolate(attended.mT, size=inputs.shape[1], mode="nearest").mT
        return inputs + self.block["linear"](inputs) * fine


class ConvLocalAttention(nn.Module):
    """CLA: a residual, gated depthwise convolution over neighbouring frames."""

    def __init__(self, channels: int, kernel: int, dropout: float):
        super().__init__()
        self.layer_norm = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, 2 * channels)
        self.dw_conv_1d = DepthwiseConv(channels, kernel)
        self.linear2 = nn.Linear(channels, 2 * channels)
        self.BN = nn.BatchNorm1d(2 * channels)
        self.linear3 = nn.Sequential(nn.GELU(), nn.Linear(2 * channels, channels), nn.Dropout(dropout))
        self.Layer_scale = LayerScale(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, frames, F) to the same shape."""
        gated = functional.glu(self.linear1(self.layer_norm(inputs)))
        mixed = self.linear2(self.dw_conv_1d(gated))
        return inputs + self.Layer_scale(self.linear3(self.BN(mixed.mT).mT))


class GlobalBlock(nn.Module):
    """Attention over the whole clip, followed by the feed-forward layer."""

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        attention = EfficientGlobalAttention(channels, heads, dropout)
        self.block = nn.ModuleDict({"ega": attention, "gcfn": GatedConvFeedForward(channels, dropout)})

    def forward(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """Map (B, frames, F) to the same shape."""
        return self.block["gcfn"](self.block["ega"](inputs, positions))


class LocalBlock(nn.Module):
    """Convolution over neighbouring frames, followed by the feed-forward layer."""

    def __init__(self, channels: int, kernel: int, dropout: float):
        super().__init__()
        convolution = ConvLocalAttention(channels, kernel, dropout)
        self.block = nn.ModuleDict({"cla": convolution, "gcfn": GatedConvFeedForward(channels, dropout)})

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, frames, F) to the same shape."""
        return self.block["gcfn"](self.block["cla"](inputs))


class SourceAttention(nn.Module):
    """Attention between the sources in each frame, followed by the feed-forward layer."""

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        self.self_attn = SelfAttention(channels, heads, dropout)
        self.feed_forward = GatedConvFeedForward(channels, dropout)

    def forward(self, inputs: Tensor, sources: int) -> Tensor:
        """Map (B · sources, frames, F) to the same shape; the sources of a mixture are adjacent."""
        frames = inputs.shape[1]
        facing = inputs.unflatten(0, (-1, sources)).transpose(1, 2).flatten(0, 1)  # (B · frames, sources, F)
        facing = facing + self.self_attn(facing)
        back = facing.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)
        return self.feed_forward(back)
