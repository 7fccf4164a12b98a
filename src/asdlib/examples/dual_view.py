"""One row that holds a clip three times: its spectrogram, its spectrum and its waveform.

A feature table holds one tensor a clip. A network that looks at two spectra embeds the first two parts; one that is
trained on mixed waveforms needs the third, because the magnitudes of a sum are not the sum of the magnitudes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from asdlib.layers.spectra import whole_frames

# An unscaled spectrum reaches half a million for 30 s at full scale, float16 ends at 65,504; a power of two is exact.
SPECTRUM_SCALE = 2.0**-4


@dataclass(frozen=True)
class DualView:
    """Where the parts of a clip of `samples` lie in its row."""

    samples: int
    n_fft: int
    hop_length: int

    @property
    def frames(self) -> int:
        """Frames of the spectrogram."""
        return whole_frames(self.samples, self.n_fft, self.hop_length)

    def real_frames(self, samples: int) -> int:
        """Return how many frames so many real samples fill, at least one."""
        return min(self.frames, max(1, whole_frames(samples, self.n_fft, self.hop_length)))

    @property
    def bins(self) -> int:
        """Frequency bins of the spectrogram."""
        return self.n_fft // 2 + 1

    @property
    def parts(self) -> tuple[int, int, int]:
        """Values of the spectrogram, the spectrum and the waveform."""
        return self.frames * self.bins, self.samples // 2, self.samples

    def join(self, spectrogram: Tensor, spectrum: Tensor, waveforms: Tensor) -> Tensor:
        """Put (B, frames, bins), (B, samples / 2) and (B, samples) into rows (B, 1, values)."""
        return torch.cat([spectrogram.flatten(1), SPECTRUM_SCALE * spectrum, waveforms], 1)[:, None]

    def views(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spectrogram (B, frames, bins) and the spectrum (B, samples / 2) of rows (B, 1, values)."""
        spectrogram, spectrum, _ = rows[:, 0].split(self.parts, 1)
        return spectrogram.unflatten(1, (self.frames, self.bins)), spectrum / SPECTRUM_SCALE

    def waveforms(self, rows: Tensor) -> Tensor:
        """Return the waveforms (N, samples) of rows (N, 1, values) without copying or reading any."""
        return rows[:, 0, -self.samples :]
