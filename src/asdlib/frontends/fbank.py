"""Kaldi's log-mel filter bank, which BEATs, AudioMAE and EAT were trained on (docs/system2.md, Features).

This module adds the scaling, padding and normalisation of each network to `asdlib.layers.filter_bank`.
"""

import torch
from torch import Tensor
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.layers import filter_bank

WINDOWS = ("hanning", "povey")


class Fbank:
    """Waveforms (B, samples) in [-1, 1] → log-mel (B, frames, n_mels), normalised to (x - mean) / (2 std), float32.

    window       "hanning" (AudioMAE, EAT) or "povey" (BEATs)
    scale        factor on the waveform; 32768 where a network was trained on 16-bit integers (BEATs)
    remove_mean  subtract each waveform's mean first (AudioMAE, EAT)
    rows         length to which the log-mel is cut or zero-padded *before* it is normalised; null: keep its length
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
        if window not in WINDOWS:
            raise AsdError(f"frontend fbank: window {window!r} is unknown: choose one of {', '.join(WINDOWS)}")
        self.window = window
        self.scale = scale
        self.remove_mean = remove_mean
        self.n_mels = n_mels
        self.rows = rows
        self.mean = mean
        self.std = std
        self.sample_rate = sample_rate

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (rows, n_mels) of a clip."""
        return self.rows or self.frames(samples), self.n_mels

    def frames(self, samples: int) -> int:
        """Return the number of whole frames in a clip."""
        whole = filter_bank.whole_frames(samples, self.sample_rate)
        return min(whole, self.rows) if self.rows else whole

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Transform a batch; clips are independent of each other."""
        log_mel = torch.stack([self._log_mel(waveform) for waveform in waveforms])
        if self.rows:
            log_mel = functional.pad(log_mel, (0, 0, 0, self.rows - log_mel.shape[1]))
        return (log_mel - self.mean) / (2 * self.std)

    def _log_mel(self, waveform: Tensor) -> Tensor:
        """Return one clip's log-mel before padding and normalisation, (frames, n_mels)."""
        waveform = waveform * self.scale
        if self.remove_mean:
            waveform = waveform - waveform.mean()
        return filter_bank.log_mel(waveform, self.n_mels, self.window, self.sample_rate)[: self.rows]
