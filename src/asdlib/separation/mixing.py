"""Crops of recordings, int16 (samples,), and the level at which noise is added to them."""

import numpy as np

FULL_SCALE = 32768.0
PEAK = 0.99  # of full scale: louder mixtures are scaled down
QUIETEST_NOISE = 1 / FULL_SCALE  # RMS of one quantisation step; anything below is digital silence


def rms(samples: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def loud_starts(recording: np.ndarray, length: int, minimum: float) -> np.ndarray:
    """Return the starts of all crops of `length` samples whose RMS exceeds `minimum`.

    Crops wrap around at the recording's end. `minimum` is a fraction of full scale. The result is exact, because sums
    of squares of int16 fit into int64.
    """
    wrapped = np.arange(len(recording) + length - 1) % len(recording)
    sums = np.concatenate([[0], np.cumsum(np.square(recording.astype(np.int64))[wrapped])])
    energy = sums[length:] - sums[: len(recording)]
    return np.flatnonzero(energy > length * (minimum * FULL_SCALE) ** 2)


def crop(recording: np.ndarray, length: int, start: int) -> np.ndarray:
    """Return `length` samples from `start` on, float32 in [-1, 1], wrapping around at the recording's end."""
    taken = recording.take(np.arange(start, start + length), mode="wrap")
    return taken.astype(np.float32) / np.float32(FULL_SCALE)


def draw_crop(recording: np.ndarray, length: int, minimum: float, seam: bool, rng: np.random.Generator) -> np.ndarray:
    """Return a random crop, float32 in [-1, 1], drawn uniformly from those whose RMS exceeds `minimum`.

    The recording must have such a crop. With `seam`, crops may wrap around at the recording's end (a random circular
    shift). Without it, they do so only if the recording is shorter than `length` or has no other loud crop.
    """
    starts = len(recording) if seam or len(recording) < length else len(recording) - length + 1
    drawn = crop(recording, length, int(rng.integers(starts)))
    if rms(drawn) > minimum:
        return drawn
    # Searching all starts is slow and rarely necessary. A second draw from the loud ones keeps the draw uniform.
    loud = loud_starts(recording, length, minimum)
    inside = loud[loud < starts]
    return crop(recording, length, int(rng.choice(inside if len(inside) else loud)))


def noise_gain(machine: np.ndarray, noise: np.ndarray, snr: float) -> float:
    """Return the gain for `noise` at which the power of `machine` is `snr` dB above that of the noise."""
    return rms(machine) / rms(noise) * 10 ** (-snr / 20)
