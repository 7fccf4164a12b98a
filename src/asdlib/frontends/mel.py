"""Triangular mel filters as in Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above, of equal area.

They equal librosa's to the last bit (tests/frontends/test_mel.py), without the second that importing librosa takes.
"""

import numpy as np
from numpy.typing import NDArray

LINEAR = 200.0 / 3  # Hz per mel below the corner
CORNER = 1000.0  # Hz
STEP = np.log(6.4) / 27  # of ln(Hz) per mel above the corner


def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> NDArray[np.float32]:
    """Return filters (n_mels, n_fft / 2 + 1) for a power or magnitude spectrum, from 0 Hz to half the sample rate."""
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = _hertz(np.linspace(0.0, _mel(sample_rate / 2), n_mels + 2))  # left edge, centre, right edge of each band
    widths = np.diff(edges)
    offsets = edges[:, None] - bins
    rising, falling = -offsets[:-2] / widths[:-1, None], offsets[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _mel(hertz: float) -> float:
    if hertz < CORNER:
        return hertz / LINEAR
    return CORNER / LINEAR + np.log(hertz / CORNER) / STEP


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    corner = CORNER / LINEAR
    return np.where(mel < corner, LINEAR * mel, CORNER * np.exp(STEP * (mel - corner)))
