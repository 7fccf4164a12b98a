"""Statistics of a clip's spectrum and of its modulation, in one row (docs/neighbours.md, Features).

Only the real samples of a clip are read, in whole frames, so that padding has no part in any mean, maximum, deviation
or modulation. NumPy computes everything in float32, and a row does not depend on the length of the other clips.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.frontends.mel import mel_filters

FLOOR = np.float32(1e-12)  # smallest power of a band: digital silence is -120 dB
MODULATION_FLOOR = np.float32(1e-6)  # smallest power of a modulation, dB²
Spectrum = NDArray[np.float32]


class SpectralStatistics:
    """Waveforms (B, samples) in [-1, 1] → rows (B, 1, values): four statistics of each band, then the modulation.

    The statistics are those of a log-mel spectrogram with `n_mels` filters, whose power is averaged in `bands` groups
    of neighbours: the mean and the maximum of each band in dB relative to the mean power of the clip, the standard
    deviation over the frames, and that of the differences between consecutive frames. They do not depend on the level
    of the recording.

    The modulation is the power spectrum of each band's envelope in dB (frames of `envelope_n_fft` samples every
    `envelope_hop` samples, `envelope_mels` filters, mean removed, Hann window): its mean in each pair of neighbouring
    bands and of neighbouring bins of modulation frequency, as a logarithm. The lowest bin is from `lowest` to `first`
    Hz; the others divide `first` to `highest` Hz evenly on a logarithmic scale. There are twice as many as `rates`.
    """

    needs_samples = True

    def __init__(
        self,
        n_fft: int = 1024,
        hop_length: int = 512,
        n_mels: int = 128,
        bands: int = 32,
        envelope_n_fft: int = 512,
        envelope_hop: int = 128,
        envelope_mels: int = 32,
        rates: int = 12,
        lowest: float = 0.3,
        first: float = 0.6,
        highest: float = 60.0,
        sample_rate: int = 16000,
    ):
        if n_mels % bands or envelope_mels % 2:
            raise AsdError("frontend spectral_statistics: n_mels: use a multiple of bands, and an even envelope_mels")
        self.sample_rate = sample_rate
        self.bands = bands
        self.rates = rates
        self._slow = _Spectrogram(n_fft, hop_length, n_mels, sample_rate)
        self._fast = _Spectrogram(envelope_n_fft, envelope_hop, envelope_mels, sample_rate)
        self._edges = np.concatenate([[lowest], np.geomspace(first, highest, 2 * rates)])

    def shape(self, samples: int) -> tuple[int, int]:
        """Return (1, values) of a clip."""
        return 1, 4 * self.bands + self._fast.filters.shape[1] // 2 * self.rates

    def frames(self, samples: int) -> int:
        """Return 1, because one row describes the clip; 0 if it is too short for the difference of two frames."""
        return int(self._slow.frames(samples) >= 2 and self._fast.frames(samples) >= 2)

    def __call__(self, waveforms: Tensor, samples: Tensor) -> Tensor:
        """Transform a batch; `samples` (B,) is the number of real samples of each clip."""
        clips = zip(waveforms.numpy(), samples.tolist(), strict=True)
        return torch.from_numpy(np.stack([self._row(clip[:length]) for clip, length in clips]))[:, None]

    def _row(self, clip: Spectrum) -> Spectrum:
        return np.concatenate([self._statistics(clip).ravel(), self._modulation(clip).ravel()])

    def _statistics(self, clip: Spectrum) -> Spectrum:
        """Return mean, deviation, maximum and deviation of the differences, (4, bands)."""
        power = self._slow(clip)
        power = power.reshape(len(power), self.bands, -1).mean(2)  # (frames, bands)
        level = 10 * np.log10(power + FLOOR)
        relative = level - 10 * np.log10(power.mean() + FLOOR)
        return np.stack([relative.mean(0), level.std(0), relative.max(0), np.diff(level, axis=0).std(0)])

    def _modulation(self, clip: Spectrum) -> Spectrum:
        """Return the logarithm of the power of the modulation, (envelope_mels / 2, rates)."""
        envelopes = 10 * np.log10(self._fast(clip) + FLOOR)  # (frames, bands)
        count = len(envelopes)
        window = np.hanning(count).astype(np.float32)[:, None]
        power = np.abs(np.fft.rfft((envelopes - envelopes.mean(0)) * window, axis=0)) ** 2 / count
        binned = np.stack([power[chosen].mean(0) for chosen in self._bins(count)]).T + MODULATION_FLOOR
        return np.log10(binned.reshape(-1, 2, self.rates, 2).mean((1, 3)))

    def _bins(self, count: int) -> list[NDArray[np.intp]]:
        """Return the frequencies in each bin of modulation; a bin that has none in a short clip has the nearest."""
        rates = np.fft.rfftfreq(count, self._fast.hop / self.sample_rate)
        edges = zip(self._edges[:-1], self._edges[1:], strict=True)
        found = [(np.flatnonzero((rates >= low) & (rates < high)), (low + high) / 2) for low, high in edges]
        return [inside if len(inside) else np.abs(rates - middle).argmin(keepdims=True) for inside, middle in found]


class _Spectrogram:
    """The mel power of whole frames, (frames, filters), with a periodic Hann window."""

    def __init__(self, n_fft: int, hop: int, n_mels: int, sample_rate: int):
        self.n_fft = n_fft
        self.hop = hop
        self.filters = mel_filters(sample_rate, n_fft, n_mels).T  # (n_fft / 2 + 1, filters)
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)

    def frames(self, samples: int) -> int:
        return max(0, 1 + (samples - self.n_fft) // self.hop)

    def __call__(self, clip: Spectrum) -> Spectrum:
        framed = np.lib.stride_tricks.sliding_window_view(clip, self.n_fft)[:: self.hop]
        return np.abs(np.fft.rfft(framed * self._window, axis=1)) ** 2 @ self.filters
