"""SepReformer: a time-domain separator that separates at a coarse frame rate and reconstructs at finer ones.

Shin et al., "Separate and Reconstruct: Asymmetric Encoder-Decoder for Speech Separation", NeurIPS 2024. Parameters carry
the names of the public checkpoints, so that these load without translation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.blocks.mixtures import Mixtures
from asdlib.blocks.separation import at_unit_level, separate_clips, separation_metrics, window_samples
from asdlib.blocks.sepreformer_stages import Sizes, SourceSeparator
from asdlib.errors import AsdError
from asdlib.losses.multi_stage import magnitude_loss, waveform_loss

SOURCES = 2  # machine, noise
ENCODER_NORM_EPS = 1e-8


@dataclass(frozen=True)
class Variant:
    """What sets the paper's variants apart."""

    channels: int  # F
    stages: int  # R
    kernel: float  # of the encoder, ms
    stride: float  # ms
    dropout: float
    shared_split: bool


# Kernels and strides are 16/4 and 8/2 samples at the paper's 8 kHz.
VARIANTS = {
    "T": Variant(64, 4, 2.0, 0.5, 0.05, True),
    "S": Variant(64, 5, 1.0, 0.25, 0.05, True),
    "B": Variant(128, 4, 2.0, 0.5, 0.05, True),
    "M": Variant(128, 5, 1.0, 0.25, 0.05, True),
    "L": Variant(256, 4, 2.0, 0.5, 0.1, False),
}


class Projector(nn.Module):
    """Encoder channels become the separator's."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, inputs, eps=ENCODER_NORM_EPS)
        self.conv1d = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, encoded: Tensor) -> Tensor:
        """Map (B, E, frames) to (B, F, frames)."""
        return self.conv1d(self.norm(encoded))


class Encoder(nn.Module):
    """A learned filter bank."""

    def __init__(self, channels: int, kernel: int, stride: int):
        super().__init__()
        self.conv1d = nn.Conv1d(1, channels, kernel, stride, bias=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map (B, samples) to (B, E, frames)."""
        return functional.gelu(self.conv1d(waveforms[:, None]))


class OutputLayer(nn.Module):
    """The separator's features become encoder channels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.end_conv1x1 = nn.Sequential(
            nn.Linear(inputs, 4 * inputs), nn.GLU(), nn.Linear(2 * inputs, outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B · sources, F, frames) to (B · sources, E, frames)."""
        return self.end_conv1x1(features.mT).mT
