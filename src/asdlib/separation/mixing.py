"""Crops of recordings and the level at which noise is added to them. Recordings are int16, (samples,)."""

import numpy as np

FULL_SCALE = 32768.0
PEAK = 0.99  # of full scale: what is louder is scaled down as a whole
QUIETEST_NOISE = 1 / FULL_SCALE  # RMS of one quantisation step: anything below is digital silence


def rms(samples: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def loud_starts(recording: np.ndarray, length: int, minimum: float) -> np.ndarray:
    """Return every start of a crop of `length`, wrapped at the recording's end, whose RMS exceeds `minimum`.

    `minimum` is a share of full scale. Exact: sums of squares of int16 fit into int64.
    """
    wrapped = np.arange(len(recording) + length - 1) % len(recording)
    sums = np.concatenate([[0], np.cumsum(np.square(recording.astype(np.int64))[wrapped])])
    energy = sums[length:] - sums[: len(recording)]
    return np.flatnonzero(energy > length * (minimum * FULL_SCALE) ** 2)


def crop(recording: np.ndarray, length: int, start: int) -> np.ndarray:
    """Return `length` samples from `start` on, wrapped at the recording's end, float32 in [-1, 1]."""
    taken = recording.take(np.arange(start, start + length), mode="wrap")
    return taken.astype(np.float32) / np.float32(FULL_SCALE)


def draw_crop(recording: np.ndarray, length: int, minimum: float, seam: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw a crop whose RMS exceeds `minimum`, evenly among all such crops; the recording must have one.

    With a `seam` crops may wrap at the recording's end (a random circular shift); else only those of a recording that
    is shorter than `length`, and those of one that has its only loud crops there.
    """
    starts = len(recording) if seam or len(recording) < length else len(recording) - length + 1
    drawn = crop(recording, length, int(rng.integers(starts)))
    if rms(drawn) > minimum:
        return drawn
    # Searching all starts is slow and rarely needed. A second draw among the loud ones alone keeps the draw even.
    loud = loud_starts(recording, length, minimum)
    inside = loud[loud < starts]
    return crop(recording, length, int(rng.choice(inside if len(inside) else loud)))


def noise_gain(machine: np.ndarray, noise: np.ndarray, snr: float) -> float:
    """Return the factor on `noise` that puts `machine` `snr` dB above it; power ratio of the two as they are given."""
    return rms(machine) / rms(noise) * 10 ** (-snr / 20)
