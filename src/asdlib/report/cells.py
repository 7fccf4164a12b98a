"""The cells of pictures over time and frequency, with the axes of a spectrogram: means of a few frames and bands."""

import numpy as np

ROWS, COLUMNS = 32, 80  # pixels of a picture; the noise of single frames and bands is averaged


def means_of_frames(values: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Return at most `columns` rows of values (frames, bands), each the mean over the same, perhaps broken, number."""
    edges = np.linspace(0, len(values), min(columns, len(values)) + 1)
    whole = edges.astype(int).clip(max=len(values) - 1)
    sums = np.cumsum(values, axis=0, dtype=np.float64) - values  # of all frames before each one
    return np.diff(sums[whole] + (edges - whole)[:, None] * values[whole], axis=0) / edges[1]


def place(row: int, column: int, columns: int, seconds: float, rate: int) -> str:
    """Return where the middle of a cell is, in seconds and Hz, as text."""
    return f"{(column + 0.5) / columns * seconds:.1f} s and {(row + 0.5) / ROWS * rate / 2:.0f} Hz"
