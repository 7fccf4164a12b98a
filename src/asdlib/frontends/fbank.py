"""Log-mel filter bank in the manner of Kaldi, which BEATs, AudioMAE and EAT were trained on.

Whole frames only, each freed of its mean, pre-emphasised and windowed; power spectrum; triangles on the mel axis;
natural logarithm. Everything in float32 and in the order of Kaldi's own code, so that the networks see what they saw
in training up to the rounding of the FFT (docs/system2.md, Features).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.layers.linear import matrix_product

FLOOR = torch.finfo(torch.float32).eps  # under the logarithm: digital silence is -15.94
PRE_EMPHASIS = 0.97
LOWEST = 20.0  # Hz, the lower edge of the first mel band
POWERS = {"hanning": 1.0, "povey": 0.85}  # of the symmetric Hann window


class Fbank:
    """Waveforms (B, samples) in [-1, 1] → log-mel (B, frames, n_mels), normalised to (x - mean) / (2 std), float32.

    window       "hanning" (AudioMAE, EAT) or "povey" (BEATs)
    scale        factor on the waveform; 32768 where a network was trained on 16-bit integers (BEATs)
    remove_mean  subtract each waveform's mean first (AudioMAE, EAT)
    rows         length to which the log-mel is cut or filled with zeros *before* it is normalised; null: as it comes
    mean, std    of the log-mel over the network's training data
    """

    def __init__(
        self,
        window: str = "hanning",
        scale: float = 1.0,
        remove_mean: bool = True,
        n_mels: int = 128,
        rows: int | None = None,
        mean: float = -4.268,
        std: float = 4.569,
        sample_rate: int = 16000,
    ):
        if window not in POWERS:
            raise AsdError(f"frontend fbank: window {window!r} is unknown: choose one of {', '.join(POWERS)}")
        self.scale = scale
        self.remove_mean = remove_mean
        self.n_mels = n_mels
        self.rows = rows
        self.mean = mean
        self.std = std
        self.sample_rate = sample_rate
        self.frame = int(0.025 * sample_rate)
        self.hop = int(0.010 * sample_rate)
        self.n_fft = 2 ** math.ceil(math.log2(self.frame))
        self._window = torch.hann_window(self.frame, periodic=False).pow(POWERS[window])
        self._filters = mel_filters(n_mels, self.n_fft, sample_rate)

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (rows, n_mels) of a clip."""
        return self.rows or self.frames(samples), self.n_mels

    def frames(self, samples: int) -> int:
        """Return how many whole frames a clip of so many samples has."""
        whole = max(0, 1 + (samples - self.frame) // self.hop)
        return min(whole, self.rows) if self.rows else whole

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; every clip's result is independent of the others in it."""
        # A clip's frames fit into a processor's cache, a batch's do not: one by one takes half the time there.
        parts = waveforms.split(1) if waveforms.device.type == "cpu" else [waveforms]
        log_mel = torch.cat([self.log_mel(part) for part in parts])
        if self.rows:
            log_mel = functional.pad(log_mel, (0, 0, 0, self.rows - log_mel.shape[1]))
        return (log_mel - self.mean) / (2 * self.std)

    def log_mel(self, waveforms: Tensor) -> Tensor:
        """Return the log-mel before it is filled up and normalised, (B, frames, n_mels)."""
        waveforms = waveforms * self.scale
        if self.remove_mean:
            waveforms = waveforms - waveforms.mean(1, keepdim=True)
        framed = waveforms.unfold(1, self.frame, self.hop)[:, : self.rows]  # (B, frames, samples of a frame)
        framed = framed - framed.mean(2, keepdim=True)
        previous = functional.pad(framed, (1, 0), mode="replicate")[..., :-1]  # the first sample precedes itself
        framed = (framed - PRE_EMPHASIS * previous) * self._window.to(waveforms.device)
        power = torch.fft.rfft(framed, self.n_fft).abs().square()
        filters = self._filters.to(waveforms.device)
        multiply = matrix_product if waveforms.device.type == "cpu" else functional.linear
        return multiply(power, filters).clamp_min_(FLOOR).log_()


def mel_filters(n_mels: int, n_fft: int, sample_rate: int) -> Tensor:
    """Return Kaldi's triangular filters, (n_mels, n_fft / 2 + 1), float32: straight on the mel axis, not in Hz.

    The lowest filters are narrower than a bin; one of 128 catches none and stays at the floor, as in Kaldi.
    """
    low, high = _mel(LOWEST), _mel(sample_rate / 2)
    step = (high - low) / (n_mels + 1)
    band = torch.arange(n_mels)[:, None]
    left, centre, right = (low + (band + edge) * step for edge in (0.0, 1.0, 2.0))
    bins = 1127.0 * (1.0 + sample_rate / n_fft * torch.arange(n_fft // 2) / 700.0).log()  # the mel of each bin
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    triangles = torch.minimum(rising, falling).clamp_min(0.0)
    return functional.pad(triangles, (0, 1))  # the bin at half the sample rate has no weight


def _mel(frequency: float) -> float:
    return 1127.0 * math.log(1.0 + frequency / 700.0)
