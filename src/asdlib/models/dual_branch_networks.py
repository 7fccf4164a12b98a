"""The two networks of the dual-branch CNN, for the spectrum and the spectrogram of a clip.

K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024. No layer has a bias, and padding
is TensorFlow's. Layers are named in the published order of execution.
"""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from asdlib.models.dual_branch_excitation import SqueezeExcitation
from asdlib.models.dual_branch_padding import SameConv1d, SameConv2d

KERNELS = ((256, 64), (64, 32), (16, 4))  # (width, stride) of the spectrum's convolutions
NORM = {"eps": 1e-3, "momentum": 0.01}  # Keras's momentum of 0.99 is the share of the old value


class SpectrumBranch(nn.Module):
    """Spectrum (B, bins) → embedding (B, dimensions): three strided convolutions, five dense layers."""

    def __init__(self, bins: int, channels: int, dimensions: int, se_ratio: int):
        super().__init__()
        layers: list[nn.Module] = []
        positions = bins
        for inputs, (kernel, stride) in zip((1, channels, channels), KERNELS, strict=True):
            layers += [SameConv1d(inputs, channels, kernel, stride), nn.ReLU(), SqueezeExcitation(channels, se_ratio)]
            positions = -(-positions // stride)
        self.convolutions = nn.Sequential(*layers)
        widths = [positions * channels, *[dimensions] * 4]
        self.dense = nn.Sequential(
            *[
                layer
                for inputs, outputs in pairwise(widths)
                for layer in (nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs, **NORM), nn.ReLU())
            ]
        )
        self.embedding = nn.Linear(dimensions, dimensions, bias=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Return the embedding (B, dimensions) of unscaled magnitudes (B, bins)."""
        maps = self.convolutions(spectrum[:, None])  # (B, channels, positions)
        return self.embedding(self.dense(maps.transpose(1, 2).flatten(1)))


class ResidualUnit(nn.Module):
    """Twice batch norm, ReLU and convolution, then squeeze and excitation, plus the shortcut.

    The shortcut starts after the first batch norm. The first unit of every block but the first has `halve` set, which
    halves both axes. The first block is published with two peculiarities: its first unit has no first batch norm
    (`pre_norm`), and its second unit has the inner ReLU before the batch norm (`relu_early`).
    """

    def __init__(self, inputs: int, outputs: int, se_ratio: int, halve: bool, pre_norm: bool, relu_early: bool):
        super().__init__()
        self.relu_early = relu_early
        self.bn_a = nn.BatchNorm2d(inputs, **NORM) if pre_norm else nn.Identity()
        self.conv_a = SameConv2d(inputs, outputs, 3, 2 if halve else 1)
        self.bn_b = nn.BatchNorm2d(outputs, **NORM)
        self.conv_b = SameConv2d(outputs, outputs, 3)
        self.se = SqueezeExcitation(outputs, se_ratio)
        self.shortcut = SameConv2d(inputs, outputs, 1) if halve else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the transformed maps (B, channels, frames, bins)."""
        inputs = self.bn_a(inputs)
        maps = self.conv_a(inputs.relu())
        maps = self.bn_b(maps.relu()) if self.relu_early else self.bn_b(maps).relu()
        maps = self.se(self.conv_b(maps))
        if self.shortcut is None:
            return maps + inputs
        return maps + self.shortcut(functional.max_pool2d(inputs, 2, ceil_mode=True))


class SpectrogramBranch(nn.Module):
    """Spectrogram (B, frames, bins) → embedding (B, dimensions): a ResNet, the maximum over time, a dense layer.

    `channels` are those of the stem and of the four blocks.
    """

    def __init__(self, bins: int, channels: list[int], dimensions: int, se_ratio: int):
        super().__init__()
        self.bn_freq = nn.BatchNorm1d(bins, **NORM)  # statistics per frequency bin
        self.stem = nn.Sequential(
            SameConv2d(1, channels[0], 7, 2), nn.BatchNorm2d(channels[0], **NORM), nn.ReLU(), nn.MaxPool2d(3, 2)
        )
        self.units = nn.Sequential(*_units(channels, se_ratio))
        left = ((bins + 1) // 2 - 3) // 2 + 1  # bins after the stem
        for _ in channels[2:]:
            left = (left + 1) // 2
        self.bn_out = nn.BatchNorm1d(left * channels[-1], **NORM)
        self.embedding = nn.Linear(left * channels[-1], dimensions, bias=False)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the embedding of linear magnitudes from which the mean over time has been subtracted."""
        return self.embedding(self.bn_out(self.flattened(spectrogram)))

    def flattened(self, spectrogram: Tensor) -> Tensor:
        """Return the maximum of the maps over time, (B, remaining bins · channels); channels vary fastest."""
        normalised = self.bn_freq(spectrogram.transpose(1, 2)).transpose(1, 2)
        maps = self.units(self.stem(normalised[:, None]))  # (B, channels, remaining frames, remaining bins)
        return maps.amax(2).transpose(1, 2).flatten(1)


def _units(channels: list[int], se_ratio: int) -> Iterator[ResidualUnit]:
    """Yield the units, two per block."""
    for block, (inputs, outputs) in enumerate(pairwise(channels)):
        opening = block == 0
        yield ResidualUnit(inputs, outputs, se_ratio, halve=not opening, pre_norm=not opening, relu_early=False)
        yield ResidualUnit(outputs, outputs, se_ratio, halve=False, pre_norm=True, relu_early=opening)
