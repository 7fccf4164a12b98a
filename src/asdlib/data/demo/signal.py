"""Building blocks of the demo sounds: drift, tones, filtered noise, strikes and their ringing.

All signals are float arrays (samples,). Frequencies are in Hz, times in seconds, levels are root mean squares.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

Array = NDArray[np.floating]
Gain = Callable[[Array], Array]  # frequencies in Hz -> amplitude factor
_HIGHEST = 0.45  # of the sample rate; higher tones are left out, higher resonances moved down


def stream(seed: int, name: str) -> np.random.Generator:
    """Return a generator of random numbers that depend only on the seed and the name."""
    digest = blake2b(name.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])


@dataclass(frozen=True)
class Run:
    """One recording of a machine: its length, the machine's speed, load and fault, and its random streams.

    `identity` is the clip's name. Every component draws from its own stream (`rng`), so no clip depends on which others
    are made, and a fault changes only its own component. The fault's `strength` is in [0, 1].
    """

    samples: int
    rate: int
    seed: int
    identity: str
    speed: float = 1.0
    load: float = 1.0
    fault: str = ""
    strength: float = 0.0

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.samples / self.rate

    def rng(self, component: str) -> np.random.Generator:
        """Return the random stream of one component of this clip."""
        return stream(self.seed, f"{self.identity}/{component}")

    def has(self, fault: str) -> float:
        """Return the strength of `fault` in this clip, zero if it has another fault or none."""
        return self.strength if self.fault == fault else 0.0


def drift(run: Run, name: str, spread: float, period: float = 0.7) -> Array:
    """Return slow random fluctuations around one, with standard deviation `spread` and a new value every `period`."""
    knots = run.rng(name).standard_normal(int(run.seconds / period) + 3)
    at = np.arange(run.samples) / (run.rate * period)
    return 1.0 + spread * np.interp(at, np.arange(knots.size), knots)


def turns(run: Run, name: str, hertz: Array | float) -> Array:
    """Return the number of turns made so far at `hertz` turns per second, from a random start."""
    steps = np.broadcast_to(np.asarray(hertz, dtype=float), (run.samples,)) / run.rate
    return np.cumsum(steps) + run.rng(name).uniform()


def harmonics(run: Run, name: str, phase: Array, amplitudes: Sequence[float]) -> Array:
    """Return the sum of a_k sin(2π k phase + random start), k = 1, 2, …, below about half the sample rate."""
    starts = np.exp(2j * np.pi * run.rng(name).uniform(size=len(amplitudes)))
    fastest = float(np.max(np.diff(phase), initial=1e-9))  # turns per sample
    heard = min(len(amplitudes), int(_HIGHEST / fastest))
    angle = (2 * np.pi * (phase % 1.0)).astype(np.float32)
    base = np.cos(angle) + 1j * np.sin(angle)
    total = np.zeros(phase.size, dtype=np.complex64)
    for partial in range(heard - 1, -1, -1):  # Horner's rule for a polynomial in exp(2πi phase)
        total += np.complex64(amplitudes[partial] * starts[partial])
        total *= base
    return total.imag


def noise(run: Run, name: str, gain: Gain, level: float = 1.0) -> Array:
    """Return Gaussian noise of the given level with the spectrum `gain`; level zero is not computed."""
    if level == 0.0:
        return np.zeros(run.samples)
    size = fft.next_fast_len(run.samples, real=True)
    shape = gain(_frequencies(size, run.rate))
    draws = run.rng(name).standard_normal(2 * shape.size, dtype=np.float32).view(np.complex64)
    expected = 2.0 / size * np.sqrt(np.sum(shape**2))  # level of the inverse transform of these draws
    return fft.irfft(draws * (shape * level / expected).astype(np.float32), size)[: run.samples]


def shaped(run: Run, wave: Array, gain: Gain) -> Array:
    """Return `wave` filtered by `gain` with zero phase, for example by a housing or a microphone."""
    size = fft.next_fast_len(run.samples, real=True)
    shape = gain(_frequencies(size, run.rate))
    return fft.irfft(fft.rfft(wave, size) * shape, size)[: run.samples]


def _frequencies(size: int, rate: int) -> Array:
    """Return the frequencies of a real transform; the first is 1 Hz instead of 0, where gains are undefined."""
    return np.maximum(fft.rfftfreq(size, 1 / rate), 1.0)


def band(low: float, high: float, order: float = 2.0) -> Gain:
    """Return a gain that falls by 6·`order` dB per octave below `low` and above `high`."""
    return lambda f: 1.0 / np.sqrt((1.0 + (low / f) ** (2 * order)) * (1.0 + (f / high) ** (2 * order)))


def peaks(*bumps: tuple[float, float, float]) -> Gain:
    """Return a gain of one with peaks or dips (centre in Hz, width in octaves, height in dB)."""

    def gain(f: Array) -> Array:
        octaves = np.log2(f)
        decibels = sum(db * np.exp(-(((octaves - np.log2(hz)) / width) ** 2)) for hz, width, db in bumps)
        return 10.0 ** (decibels / 20.0)

    return gain


def both(first: Gain, second: Gain) -> Gain:
    """Return the product of two gains."""
    return lambda f: first(f) * second(f)


def strikes(run: Run, times: Array, weights: Array | float = 1.0) -> Array:
    """Return impulses of the given weights at the given times; those outside the recording are left out."""
    at = np.rint(np.asarray(times) * run.rate).astype(int)
    inside = (at >= 0) & (at < run.samples)
    force = np.zeros(run.samples)
    np.add.at(force, at[inside], np.broadcast_to(weights, at.shape)[inside])
    return force


def every_turn(phase: Array, rate: int) -> Array:
    """Return the times at which `phase` passes an integer, once per turn."""
    return np.flatnonzero(np.diff(np.floor(phase)) > 0) / rate


def left_out(run: Run, name: str, possible: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return which of the possible events are missed: about `share` of them, at least one if it is not zero."""
    if share == 0.0:
        return np.zeros(possible.size, dtype=bool)
    draws = np.where(possible, run.rng(name).uniform(size=possible.size), np.inf)
    return draws <= max(share, min(1.0, float(draws.min())))


def ring(run: Run, force: Array, *modes: tuple[float, float, float]) -> Array:
    """Return the sound of a body with modes (frequency, decay time to 1/e, level) that is excited by `force`."""
    total = np.zeros(run.samples)
    for frequency, decay, level in modes:
        angle = 2 * np.pi * min(frequency / run.rate, _HIGHEST)
        radius = np.exp(-1.0 / (decay * run.rate))
        total += signal.lfilter([level * np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], force)
    return total


def fading(run: Run, force: Array, decay: float) -> Array:
    """Return an envelope that rises with each strike and decays to 1/e within `decay`."""
    return signal.lfilter([1.0], [1.0, -np.exp(-1.0 / (decay * run.rate))], force)


def sine(phase: Array) -> Array:
    """Return sin(2π phase)."""
    return np.sin((2 * np.pi * (phase % 1.0)).astype(np.float32))
