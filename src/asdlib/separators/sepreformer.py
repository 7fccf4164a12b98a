"""SepReformer: a time-domain separator that tells sources apart at a coarse frame rate and rebuilds them at finer ones.

Shin et al., "Separate and Reconstruct: Asymmetric Encoder-Decoder for Speech Separation", NeurIPS 2024. Parameters bear
the names of the official code, so that `load_state_dict` takes its checkpoints; the names of variant L's own splitting
blocks are not compared with it.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.losses.multi_stage import magnitude_loss, waveform_loss
from asdlib.separation.estimates import separate_clips, separation_metrics, window_samples
from asdlib.separation.levels import at_unit_level, level
from asdlib.separation.mixtures import Mixtures
from asdlib.separators.sepreformer_stages import Sizes, SourceSeparator

SOURCES = 2  # machine, noise


@dataclass(frozen=True)
class Variant:
    """What tells the paper's variants apart."""

    channels: int  # F
    stages: int  # R
    kernel: float  # of the encoder, ms; 16 or 8 samples at the paper's 8 kHz
    stride: float  # ms
    dropout: float
    shared_split: bool  # one layer splits all stages into sources


VARIANTS = {
    "T": Variant(64, 4, 2.0, 0.5, 0.05, True),
    "S": Variant(64, 5, 1.0, 0.25, 0.05, True),
    "B": Variant(128, 4, 2.0, 0.5, 0.05, True),
    "M": Variant(128, 5, 1.0, 0.25, 0.05, True),
    "L": Variant(256, 4, 2.0, 0.5, 0.1, False),
}


class Encoder(nn.Module):
    """A learned filterbank."""

    def __init__(self, channels: int, kernel: int, stride: int):
        super().__init__()
        self.conv1d = nn.Conv1d(1, channels, kernel, stride, bias=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map (B, T) to (B, E, frames); the end is filled with zeros so that every sample is in a frame."""
        (kernel,), (stride,) = self.conv1d.kernel_size, self.conv1d.stride
        missing = max(kernel - waveforms.shape[1], (kernel - waveforms.shape[1]) % stride)
        return functional.gelu(self.conv1d(functional.pad(waveforms, (0, missing))[:, None]))


class Projector(nn.Module):
    """From the encoder's channels to the separator's."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, inputs, eps=1e-8)
        self.conv1d = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, encoded: Tensor) -> Tensor:
        """Map (B, E, frames) to (B, F, frames)."""
        return self.conv1d(self.norm(encoded))


class OutputLayer(nn.Module):
    """From the separator's channels back to the encoder's."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.end_conv1x1 = nn.Sequential(nn.Linear(inputs, 4 * inputs), nn.GLU(), nn.Linear(2 * inputs, outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B · sources, F, frames) to (B · sources, E, frames)."""
        return self.end_conv1x1(features.mT).mT


class SepReformer(nn.Module):
    """Two sources, machine and noise, in this order: they are known, so no permutation is searched.

    `size` is one of the paper's variants, T, S, B, M or L; `channels` (F), `stages` (R), `kernel` and `stride` of the
    encoder (ms), `dropout` and `shared_split` replace single values of it. `encoder_channels` (E), `heads`,
    `local_kernel` (K), `down_kernel` and `positions` (farthest relative position that has an embedding of its own) are
    common to all variants.

    In training `auxiliary_share` of the loss is that of the earlier stages' estimates, by STFTs of `stft_frame` and
    `stft_hop` (ms); it shrinks in the second half. `window` (s, None: whole clips) and `overlap` (share) cut long clips
    for separation; positions are only trained as far as the training's segments reach.
    """

    def __init__(
        self,
        size: str = "T",
        channels: int | None = None,
        stages: int | None = None,
        kernel: float | None = None,
        stride: float | None = None,
        dropout: float | None = None,
        shared_split: bool | None = None,
        encoder_channels: int = 256,
        heads: int = 8,
        local_kernel: int = 65,
        down_kernel: int = 5,
        positions: int = 2000,
        auxiliary_share: float = 0.4,
        stft_frame: float = 64.0,
        stft_hop: float = 16.0,
        window: float | None = None,
        overlap: float = 0.5,
        sample_rate: int = 16000,
    ):
        super().__init__()
        given = {"channels": channels, "stages": stages, "kernel": kernel, "stride": stride, "dropout": dropout,
                 "shared_split": shared_split}  # fmt: skip
        chosen = _variant(size, {name: value for name, value in given.items() if value is not None})
        if chosen.channels % heads:
            raise AsdError(f"sepreformer: heads: {heads}: give a divisor of the {chosen.channels} channels")
        self.auxiliary_share = self._share = auxiliary_share
        self.stft = (_samples(stft_frame, sample_rate), _samples(stft_hop, sample_rate))
        self.window = window_samples(window, overlap, sample_rate)
        self.overlap = overlap
        frame = (_samples(chosen.kernel, sample_rate), _samples(chosen.stride, sample_rate))
        width = chosen.channels
        self.audio_encoder = Encoder(encoder_channels, *frame)
        self.feature_projector = Projector(encoder_channels, width)
        self.separator = SourceSeparator(
            Sizes(width, chosen.stages, heads, local_kernel, down_kernel, positions, chosen.dropout,
                  chosen.shared_split, SOURCES)
        )  # fmt: skip
        self.out_layer = OutputLayer(width, encoder_channels)
        self.audio_decoder = nn.ConvTranspose1d(encoder_channels, 1, *frame, bias=False)
        # One pair for the estimates of every earlier stage, used in training alone.
        self.out_layer_bn = nn.ModuleList(OutputLayer(width, encoder_channels) for _ in range(chosen.stages))
        self.decoder_bn = nn.ModuleList(
            nn.ConvTranspose1d(encoder_channels, 1, *frame, bias=False) for _ in range(chosen.stages)
        )

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Let the earlier stages' share of the loss shrink to 0.8 of itself at every fortieth of the second half.

        The official schedule of 200 epochs (from the 101st on, every 5), for any number of them.
        """
        self._share = self.auxiliary_share * 0.8 ** max(0, 40 * epoch // epochs - 19)

    def forward(self, mixture: Tensor) -> Tensor:
        """Estimate the sources of mixtures (B, T) at a level of their own, (B, 2, T): machine, noise."""
        encoded = self.audio_encoder(mixture)
        hidden, _ = self.separator(self.feature_projector(encoded))
        return self._decode(hidden, encoded, mixture.shape[1])

    def stages(self, mixture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return `forward`'s estimates and those that every decoder stage starts from, coarsest first; (B, 2, T)."""
        encoded = self.audio_encoder(mixture)
        hidden, starts = self.separator(self.feature_projector(encoded))
        both = encoded.repeat_interleave(SOURCES, 0)
        earlier = []
        for start, layer, decoder in zip(starts, self.out_layer_bn, self.decoder_bn, strict=True):
            mask = functional.relu(layer(functional.interpolate(start, size=encoded.shape[-1], mode="nearest")))
            earlier.append(_waveforms(decoder(mask * both), mixture.shape[1]))
        return self._decode(hidden, encoded, mixture.shape[1]), earlier

    def loss(self, mixtures: Mixtures) -> Tensor:
        """Return the negative SI-SDR in dB of both sources; in training with the earlier stages' share."""
        scaled = at_unit_level(mixtures)
        if not self.training:
            return waveform_loss(self(scaled.mixture), scaled.sources).mean()
        final, earlier = self.stages(scaled.mixture)
        auxiliary = torch.stack([magnitude_loss(each, scaled.sources, *self.stft).mean() for each in earlier]).mean()
        return torch.lerp(waveform_loss(final, scaled.sources).mean(), auxiliary, self._share)

    def metrics(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the machine estimates' `si_sdr` in dB, and its `si_sdr_improvement` over the mixtures."""
        return separation_metrics(self(at_unit_level(mixtures).mixture)[:, 0], mixtures)

    def separate(self, mixture: Tensor) -> Tensor:
        """Return the machine's sound in mixtures (B, T): same length, same level."""
        return separate_clips(lambda clip: self(clip / level(clip))[:, 0], mixture, self.window, self.overlap)

    def _decode(self, hidden: Tensor, encoded: Tensor, samples: int) -> Tensor:
        """Make waveforms (B, 2, T) of the separator's features, (2B, F, frames)."""
        return _waveforms(self.audio_decoder(self.out_layer(hidden[..., : encoded.shape[-1]])), samples)


def _variant(size: str, given: dict[str, Any]) -> Variant:
    if size not in VARIANTS:
        raise AsdError(f"sepreformer: size: {size!r}: use one of: {', '.join(VARIANTS)}")
    return replace(VARIANTS[size], **given)


def _samples(milliseconds: float, sample_rate: int) -> int:
    return round(milliseconds * sample_rate / 1000)


def _waveforms(decoded: Tensor, samples: int) -> Tensor:
    """Cut (2B, 1, T or more) to (B, 2, T)."""
    return decoded[:, 0, :samples].float().unflatten(0, (-1, SOURCES))
