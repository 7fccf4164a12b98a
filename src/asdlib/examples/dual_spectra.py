"""Rows that combine a clip's spectrogram, spectrum and waveform.

A feature table has one tensor per clip. A network with a spectrogram and a spectrum branch embeds the first two parts.
Training with mixed waveforms needs the third part, because the magnitudes of a sum are not the sum of the magnitudes.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asdlib.layers.spectra import whole_frames

# For 30 s at full scale a spectrum reaches half a million, but float16 only 65,504. Scaling by a power of two is exact.
SPECTRUM_SCALE = 2.0**-4


@dataclass(frozen=True)
class DualSpectra:
    """The layout of the row of a clip of `samples` samples."""

    samples: int
    n_fft: int
    hop_length: int

    @property
    def frames(self) -> int:
        """Number of frames of the spectrogram."""
        return whole_frames(self.samples, self.n_fft, self.hop_length)

    def real_frames(self, samples: int) -> int:
        """Return the number of frames that `samples` real samples fill, at least one."""
        return min(self.frames, max(1, whole_frames(samples, self.n_fft, self.hop_length)))

    @property
    def bins(self) -> int:
        """Number of frequency bins of the spectrogram."""
        return self.n_fft // 2 + 1

    @property
    def parts(self) -> tuple[int, int, int]:
        """Numbers of values of the spectrogram, the spectrum and the waveform."""
        return self.frames * self.bins, self.samples // 2, self.samples

    @property
    def values(self) -> int:
        """Number of values of a row."""
        return sum(self.parts)

    def with_values(self, values: int) -> "DualSpectra | None":
        """Return the layout of clips of another length whose rows have so many values, if there is one."""
        samples = bisect_left(range(values), values, key=lambda samples: replace(self, samples=samples).values)
        found = replace(self, samples=samples)
        return found if found.values == values else None

    def join(self, spectrogram: Tensor, spectrum: Tensor, waveforms: Tensor) -> Tensor:
        """Return rows (B, 1, values) of (B, frames, bins), (B, samples / 2) and (B, samples)."""
        return torch.cat([spectrogram.flatten(1), SPECTRUM_SCALE * spectrum, waveforms], 1)[:, None]

    def spectra(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spectrogram (B, frames, bins) and the spectrum (B, samples / 2) of rows (B, 1, values)."""
        spectrogram, spectrum, _ = rows[:, 0].split(self.parts, 1)
        return spectrogram.unflatten(1, (self.frames, self.bins)), spectrum / SPECTRUM_SCALE

    def waveforms(self, rows: Tensor) -> Tensor:
        """Return the waveforms (N, samples) of rows (N, 1, values) as a slice that reads none of them."""
        return rows[:, 0, -self.samples :]
