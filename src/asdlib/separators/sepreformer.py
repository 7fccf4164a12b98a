"""The separator SepReformer, which separates sources at a coarse frame rate and reconstructs them at finer ones.

Shin et al., "Separate and Reconstruct: Asymmetric Encoder-Decoder for Speech Separation", NeurIPS 2024. Parameters have
the names of the official code, so that `load_state_dict` loads its checkpoints. The names of variant L's splitting
blocks have not been compared with it.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.losses.multi_stage import magnitude_loss, waveform_loss
from asdlib.separation.estimates import check_sources, separate_clips, separation_metrics, window_samples
from asdlib.separation.levels import at_unit_level, level
from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import Separator
from asdlib.separators.sepreformer_stages import Sizes, SourceSeparator


@dataclass(frozen=True)
class Variant:
    """The settings in which the paper's variants differ."""

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
        """Map (B, T) to (B, E, frames); the end is padded with zeros so that every sample is in a frame."""
        (kernel,), (stride,) = self.conv1d.kernel_size, self.conv1d.stride
        missing = max(kernel - waveforms.shape[1], (kernel - waveforms.shape[1]) % stride)
        return functional.gelu(self.conv1d(functional.pad(waveforms, (0, missing))[:, None]))


class Projector(nn.Module):
    """A map from the encoder's channels to the separator's."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, inputs, eps=1e-8)
        self.conv1d = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, encoded: Tensor) -> Tensor:
        """Map (B, E, frames) to (B, F, frames)."""
        return self.conv1d(self.norm(encoded))


class OutputLayer(nn.Module):
    """A map from the separator's channels back to the encoder's."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.end_conv1x1 = nn.Sequential(nn.Linear(inputs, 4 * inputs), nn.GLU(), nn.Linear(2 * inputs, outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B · sources, F, frames) to (B · sources, E, frames)."""
        return self.end_conv1x1(features.mT).mT


class SepReformer(Separator):
    """SepReformer with one or two sources, machine and noise in this order; the loss needs no permutation search.

    `size` is one of the paper's variants: T, S, B, M or L. `channels` (F), `stages` (R), the encoder's `kernel` and
    `stride` (ms), `dropout` and `shared_split` replace single values of the variant. `encoder_channels` (E), `heads`,
    `local_kernel` (K), `down_kernel` and `positions` (the farthest relative position with its own embedding) are the
    same for all variants.

    In training, a share `auxiliary_share` of the loss is that of the earlier stages' estimates, computed from STFTs of
    `stft_frame` and `stft_hop` (ms). It decreases in the second half of the training. Clips longer than `window` (s;
    None: no limit) are separated in windows, each overlapping the next by the share `overlap`. Positions are trained
    only up to the length of the training's segments.
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
        sources: int = 2,
    ):
        super().__init__()
        check_sources("sepreformer", sources)
        self.sources = sources
        given = {"channels": channels, "stages": stages, "kernel": kernel, "stride": stride, "dropout": dropout,
                 "shared_split": shared_split}  # fmt: skip
        chosen = _variant(size, {name: value for name, value in given.items() if value is not None})
        if chosen.channels % heads:
            raise AsdError(f"separator sepreformer: heads {heads}: give a divisor of the {chosen.channels} channels")
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
                  chosen.shared_split, sources)
        )  # fmt: skip
        self.out_layer = OutputLayer(width, encoder_channels)
        self.audio_decoder = nn.ConvTranspose1d(encoder_channels, 1, *frame, bias=False)
        # One pair for the estimates of every earlier stage, used only in training.
        self.out_layer_bn = nn.ModuleList(OutputLayer(width, encoder_channels) for _ in range(chosen.stages))
        self.decoder_bn = nn.ModuleList(
            nn.ConvTranspose1d(encoder_channels, 1, *frame, bias=False) for _ in range(chosen.stages)
        )

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Multiply the earlier stages' share of the loss by 0.8 at every fortieth of the training in its second half.

        This is the official schedule of 200 epochs (every 5 epochs from the 101st on), scaled to any number of epochs.
        """
        self._share = self.auxiliary_share * 0.8 ** max(0, 40 * epoch // epochs - 19)

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the estimated sources of mixtures (B, T), machine first, (B, sources, T), at an arbitrary level."""
        encoded = self.audio_encoder(mixture)
        hidden, _ = self.separator(self.feature_projector(encoded))
        return self._decode(hidden, encoded, mixture.shape[1])

    def stages(self, mixture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the final estimates and those from the inputs of the decoder stages, coarsest first, (B, S, T)."""
        encoded = self.audio_encoder(mixture)
        hidden, starts = self.separator(self.feature_projector(encoded))
        both = encoded.repeat_interleave(self.sources, 0)
        earlier = []
        for start, layer, decoder in zip(starts, self.out_layer_bn, self.decoder_bn, strict=True):
            mask = functional.relu(layer(functional.interpolate(start, size=encoded.shape[-1], mode="nearest")))
            earlier.append(self._waveforms(decoder(mask * both), mixture.shape[1]))
        return self._decode(hidden, encoded, mixture.shape[1]), earlier

    def loss(self, mixtures: Mixtures) -> Tensor:
        """Return the negative SI-SDR in dB of the sources; in training, combined with the earlier stages' loss."""
        return sum(self.terms(mixtures).values())

    def terms(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the terms of the loss: `final` and, in training, that of the `earlier` stages, each weighted."""
        scaled = at_unit_level(mixtures)
        wanted = scaled.sources[:, : self.sources]
        if not self.training:
            return {"final": waveform_loss(self(scaled.mixture), wanted).mean()}
        final, earlier = self.stages(scaled.mixture)
        auxiliary = torch.stack([magnitude_loss(each, wanted, *self.stft).mean() for each in earlier]).mean()
        return {"final": (1 - self._share) * waveform_loss(final, wanted).mean(), "earlier": self._share * auxiliary}

    def metrics(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the machine estimates' `si_sdr` and their `si_sdr_improvement` over the mixtures, in dB."""
        return separation_metrics(self(at_unit_level(mixtures).mixture)[:, 0], mixtures)

    def separate(self, mixture: Tensor) -> Tensor:
        """Return the machine's sound in mixtures (B, T), with the same length and level."""
        return separate_clips(lambda clip: self(clip / level(clip)), mixture, self.window, self.overlap)

    def _decode(self, hidden: Tensor, encoded: Tensor, samples: int) -> Tensor:
        """Return the waveforms (B, sources, T) of the separator's features (B · sources, F, frames)."""
        return self._waveforms(self.audio_decoder(self.out_layer(hidden[..., : encoded.shape[-1]])), samples)

    def _waveforms(self, decoded: Tensor, samples: int) -> Tensor:
        """Return (B · sources, 1, T or more) cut to (B, sources, T)."""
        return decoded[:, 0, :samples].float().unflatten(0, (-1, self.sources))


def _variant(size: str, given: dict[str, Any]) -> Variant:
    if size not in VARIANTS:
        raise AsdError(f"separator sepreformer: size {size!r}: use one of: {', '.join(VARIANTS)}")
    return replace(VARIANTS[size], **given)


def _samples(milliseconds: float, sample_rate: int) -> int:
    return round(milliseconds * sample_rate / 1000)
