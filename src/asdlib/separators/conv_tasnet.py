"""The separator Conv-TasNet, which separates machine sound and noise by masks on a learned filterbank.

Luo and Mesgarani, "Conv-TasNet: Surpassing Ideal Time–Frequency Magnitude Masking for Speech Separation", TASLP 2019.
The network and the loss are those of asteroid.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.separation.estimates import check_sources, separate_clips, separation_metrics, window_samples
from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import Separator


class ConvTasNet(Separator):
    """Conv-TasNet with one or two masks, machine and noise in this order; the loss needs no permutation search.

    The sizes have asteroid's names and defaults: `n_filters` filters of `kernel_size` samples every `stride` samples;
    `n_repeats` repeats of `n_blocks` dilated convolutions of `conv_kernel_size` taps; `bn_chan`, `hid_chan` and
    `skip_chan` channels. A `causal` network sees only the past. `norm` is gLN, which normalises over the whole clip,
    cgLN (cumulative), over all frames so far, or cLN, over each frame separately; by default cgLN in a causal network
    and gLN in any other, as published. Clips longer than `window` (s; None: no limit) are separated in windows, each
    overlapping the next by the share `overlap`.

    `network` is asteroid's own model, so that weights published for it can be loaded with `network.load_state_dict`.
    """

    divisible = True  # a mean over mixtures (asdlib.training.micro_batches)

    def __init__(
        self,
        n_filters: int = 512,
        kernel_size: int = 16,
        stride: int = 8,
        n_blocks: int = 8,
        n_repeats: int = 3,
        bn_chan: int = 128,
        hid_chan: int = 512,
        skip_chan: int = 128,
        conv_kernel_size: int = 3,
        mask_act: str = "sigmoid",
        causal: bool = False,
        window: float | None = None,
        overlap: float = 0.5,
        sample_rate: int = 16000,
        sources: int = 2,
        norm: str | None = None,
    ):
        # Imported here because it takes two seconds, which jobs without a Conv-TasNet need not spend.
        from asteroid.losses import singlesrc_neg_sisdr
        from asteroid.models import ConvTasNet as AsteroidConvTasNet

        super().__init__()
        check_sources("conv_tasnet", sources)
        norm = norm or ("cgLN" if causal else "gLN")
        _check_norm(norm, causal)
        self.sources = sources
        self.window = window_samples(window, overlap, sample_rate)
        self.overlap = overlap
        self.network = AsteroidConvTasNet(
            n_src=sources,
            n_filters=n_filters,
            kernel_size=kernel_size,
            stride=stride,
            n_blocks=n_blocks,
            n_repeats=n_repeats,
            bn_chan=bn_chan,
            hid_chan=hid_chan,
            skip_chan=skip_chan,
            conv_kernel_size=conv_kernel_size,
            norm_type=norm,
            mask_act=mask_act,
            causal=causal,
            sample_rate=sample_rate,
        )
        self._negative_si_sdr = singlesrc_neg_sisdr

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the estimated sources of mixtures (B, T), machine first, (B, sources, T), at an arbitrary level."""
        encoded = self.network.forward_encoder(mixture[:, None])
        masked = self.network.apply_masks(encoded, estimate_masks(self.network.masker, encoded))
        decoder = self.network.forward_decoder
        decoded = without_onednn(decoder, masked) if self.training else decoder(masked)
        return functional.pad(decoded, (0, mixture.shape[1] - decoded.shape[2])).float()

    def loss(self, mixtures: Mixtures) -> Tensor:
        """Return the negative SI-SNR in dB, averaged over the sources (system3 §2.1)."""
        estimates = self(mixtures.mixture).flatten(0, 1)  # (B · sources, T)
        return self._negative_si_sdr(estimates, mixtures.sources[:, : self.sources].float().flatten(0, 1)).mean()

    def metrics(self, mixtures: Mixtures) -> dict[str, Tensor]:
        """Return the machine estimates' `si_sdr` and their `si_sdr_improvement` over the mixtures, in dB."""
        return separation_metrics(self(mixtures.mixture)[:, 0], mixtures)

    def separate(self, mixture: Tensor) -> Tensor:
        """Return the machine's sound in mixtures (B, T), with the same length and level."""
        return separate_clips(lambda clip: self(clip)[:, 0], mixture, self.window, self.overlap)


def estimate_masks(masker: nn.Module, encoded: Tensor) -> Tensor:
    """Return the masks (B, sources, filters, frames) that asteroid's masker gives for its input (B, filters, frames).

    Its own `forward` begins the sum of the skip connections with a number that is copied to the device. Before such a
    copy, the host waits until a GPU has done everything it was asked to do.
    """
    hidden, skipped = masker.bottleneck(encoded), []
    for block in masker.TCN:
        residual, skip = block(hidden) if masker.skip_chan else (block(hidden), None)
        hidden = hidden + residual
        skipped.append(skip)
    scores = masker.mask_net(sum(skipped) if masker.skip_chan else hidden)
    return masker.output_act(scores.unflatten(1, (masker.n_src, -1)))


def without_onednn(decoder: Callable[[Tensor], Tensor], masked: Tensor) -> Tensor:
    """Return the sounds (B, sources, T) that a decoder gives for masked representations (B, sources, filters, frames).

    On a CPU, oneDNN takes five times as long as PyTorch itself for a transposed convolution with one output channel.
    Examples of a training have the same bits by both; the backward pass stays oneDNN's. Whole clips of some lengths
    differ by rounding, so that clips are separated with oneDNN.
    """
    usual = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        return decoder(masked)
    finally:
        torch.backends.mkldnn.enabled = usual


def _check_norm(norm: str, causal: bool) -> None:
    if norm not in ("gLN", "cgLN", "cLN"):
        raise AsdError(f"separator conv_tasnet: norm {norm}: use gLN, cgLN or cLN")
    if norm == "gLN" and causal:
        raise AsdError(
            "separator conv_tasnet: norm gLN sees the whole clip, which a causal network must not: use cgLN or cLN"
        )
