"""Log-mel spectrogram of the official baseline (docs/baseline.md, Features).

Frames are centred and zero-padded, with a periodic Hann window. The mel filters are librosa's: Slaney scale, Slaney
area normalisation. The mel power or magnitude is given in dB; mean and variance are not normalised.
"""

import torch
from torch import Tensor
from torch.nn import functional

from asdlib.frontends.mel import mel_filters

FLOOR = 2.220446049250313e-16  # the machine epsilon of float64: digital silence is -156.5 dB


class LogMel:
    """Waveforms (B, samples) in [-1, 1] → log-mel (B, frames, n_mels) in dB, float32."""

    def __init__(
        self,
        n_fft: int = 1024,
        hop_length: int = 512,
        n_mels: int = 128,
        power: float = 2.0,
        sample_rate: int = 16000,
        floor: float = FLOOR,
    ):
        """`floor` is the smallest power or magnitude of a band; smaller values are raised to it."""
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.power = power
        self.sample_rate = sample_rate
        self.floor = floor
        self._window = torch.hann_window(n_fft, periodic=True)
        self._filters = torch.from_numpy(mel_filters(sample_rate, n_fft, n_mels))  # (n_mels, n_fft / 2 + 1)

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (frames, n_mels) of a clip."""
        return self.frames(samples), self.n_mels

    def frames(self, samples: int) -> int:
        """Return the number of frames in a clip."""
        return 1 + samples // self.hop_length

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; clips are independent of each other."""
        half = self.n_fft // 2
        padded = functional.pad(waveforms, (half, half))
        framed = padded.unfold(-1, self.n_fft, self.hop_length) * self._window  # (B, frames, n_fft)
        parts = torch.view_as_real(torch.fft.rfft(framed))
        spectrum = torch.mul(parts[..., 0], parts[..., 0]).addcmul_(parts[..., 1], parts[..., 1])
        if self.power != 2.0:
            spectrum = spectrum.pow_(self.power / 2)
        bands = functional.linear(spectrum, self._filters)  # (B, frames, n_mels)
        return bands.clamp_min_(self.floor).log10_().mul_(20.0 / self.power)
