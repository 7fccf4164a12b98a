"""The separator TF-GridNet, which maps complex spectra to complex spectra, trained with the hybrid continuity loss.

Wang et al., "TF-GridNet: Integrating Full- and Sub-Band Modeling for Speech Separation", TASLP 2023, in the vectorised
form of ESPnet's second version. Parameters have the names of the public checkpoints, so that `load_state_dict` loads
them.
"""

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.layers.spectra import inverse_stft
from asdlib.losses.hybrid_continuity import hybrid_continuity_terms
from asdlib.separation.estimates import check_sources, separate_clips, separation_metrics, window_samples
from asdlib.separation.levels import at_unit_level, level
from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import Separator
from asdlib.separators.tfgridnet_layers import EPS, GridNetBlock


class TFGridNet(Separator):
    """TF-GridNet with one source (machine) or two (machine, noise); the loss needs no permutation search.

    The STFT has frames of `n_fft` samples every `hop` samples. There are `blocks` blocks of `channels` channels (D).
    Their LSTMs have `lstm_hidden` units (H) per direction, over windows of `kernel` (I) neighbours every `stride` (J);
    `kernel` ≥ `stride`. The queries of each of the `heads` (L) have about `attention_size` values per frame. The norms
    add `eps` to a variance.

    `gamma` is the weight of the loss's spectral part, in which `per_item` gives all items of a batch the same weight.
    Clips longer than `window` (s; None: no limit) are separated in windows, each overlapping the next by the share
    `overlap`.
    """

    def __init__(
        self,
        sources: int = 1,
        n_fft: int = 512,
        hop: int = 256,
        blocks: int = 4,
        channels: int = 32,
        kernel: int = 4,
        stride: int = 4,
        lstm_hidden: int = 96,
        heads: int = 4,
        attention_size: int = 512,
        gamma: float = 1.0,
        per_item: bool = False,
        window: float | None = None,
        overlap: float = 0.5,
        sample_rate: int = 16000,
        eps: float = EPS,
    ):
        super().__init__()
        _check(sources, channels, heads, kernel, stride)
        self.n_fft = n_fft
        self.hop = hop
        self.gamma = gamma
        self.per_item = per_item
        self.window = window_samples(window, overlap, sample_rate)
        self.overlap = overlap
        bins = n_fft // 2 + 1
        qk_channels = -(-attention_size // bins)
        self.conv = nn.Sequential(nn.Conv2d(2, channels, 3, padding=1), nn.GroupNorm(1, channels, eps=eps))
        self.blocks = nn.ModuleList(
            GridNetBlock(channels, kernel, stride, lstm_hidden, heads, qk_channels, bins, eps) for _ in range(blocks)
        )
        self.deconv = nn.ConvTranspose2d(channels, 2 * sources, 3, padding=1)
        self.register_buffer("hann", torch.hann_window(n_fft), persistent=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the estimated sources of mixtures (B, T), (B, sources, T), in float32, the precision of the STFTs."""
        mixture = mixture.float()
        loudness = level(mixture)
        spectra = torch.stft(mixture / loudness, self.n_fft, self.hop, window=self.hann, return_complex=True)
        hidden = self.conv(torch.view_as_real(spectra).permute(0, 3, 2, 1))  # (B, D, frames, bins)
        for block in self.blocks:
            hidden = block(hidden)
        parts = self.deconv(hidden).float().unflatten(1, (-1, 2))  # (B, sources, re and im, frames, bins)
        estimates = torch.complex(parts[:, :, 0], parts[:, :, 1])  # (B, sources, frames, bins)
        waveforms = inverse_stft(estimates.flatten(0, 1), self.hann, self.hop, mixture.shape[1])
        return waveforms.unflatten(0, estimates.shape[:2]) * loudness[:, None]

    @property
    def divisible(self) -> bool:
        """Whether the loss is a mean over mixtures (asdlib.training.micro_batches)."""
        return self.per_item

    def loss(self, mixtures: Mixtures) -> Tensor:
        """Return the hybrid continuity loss at unit mixture level, summed over the sources (system4 §2.5.1)."""
        return sum(self.terms(mixtures).values())

    def terms(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the terms of the loss, `si_snr` and `spectral`, each summed over the sources."""
        scaled = at_unit_level(mixtures)
        pairs = zip(self(scaled.mixture).unbind(1), scaled.sources.unbind(1), strict=False)  # one source: the machine
        each = [hybrid_continuity_terms(*pair, self.gamma, self.per_item) for pair in pairs]
        return {name: sum(terms[name] for terms in each) for name in each[0]}

    def metrics(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the machine estimates' `si_sdr` and their `si_sdr_improvement` over the mixtures, in dB."""
        return separation_metrics(self(mixtures.mixture)[:, 0], mixtures)

    def separate(self, mixture: Tensor) -> Tensor:
        """Return the machine's sound in mixtures (B, T), with the same length and level."""
        return separate_clips(lambda clip: self(clip)[:, 0], mixture, self.window, self.overlap)


def _check(sources: int, channels: int, heads: int, kernel: int, stride: int) -> None:
    check_sources("tfgridnet", sources)
    if channels % heads:
        raise AsdError(f"separator tfgridnet: heads {heads}: give a divisor of the {channels} channels")
    if not 0 < stride <= kernel:
        raise AsdError(f"separator tfgridnet: stride {stride}: give 1 to {kernel}, the kernel")
