"""The demo's recording room: factory background noise, microphones and the recording of a clip.

The parameters of a background (level of the hum, rate of the bangs …) are drawn for every clip. A microphone is a fixed
frequency response, determined by its name.
"""

from functools import cache
from zlib import crc32

import numpy as np

from asdlib.data.demo.signal import (
    Array,
    Gain,
    Run,
    band,
    both,
    drift,
    harmonics,
    noise,
    peaks,
    ring,
    shaped,
    strikes,
    turns,
)

_LEVEL = 0.03  # of full scale; leaves 30 dB of headroom for strikes
_SELF_NOISE = 0.003  # of the microphone, relative to a machine at level one; prevents digital silence
_PEAK = 0.9  # of full scale; louder clips are scaled down, never clipped


def record(run: Run, machine: Array | None, background: str | None, microphone: str, snr: float) -> Array:
    """Return a recording by `microphone` of `machine` with a `background` `snr` dB below level one.

    The machine or the background may be None. The samples are float (samples,) in [-0.9, 0.9].
    """
    wave = np.zeros(run.samples) if machine is None else machine
    if background is not None:
        wave = wave + 10.0 ** (-snr / 20.0) * BACKGROUNDS[background](run)
    hiss = _SELF_NOISE * run.rng("self-noise").standard_normal(run.samples, dtype=np.float32)
    wave = _LEVEL * (shaped(run, wave, _response(microphone)) + hiss)
    return wave * min(1.0, _PEAK / float(np.max(np.abs(wave))))


@cache
def _response(microphone: str) -> Gain:
    """Return a frequency response: a low cut, a high cut and three broad peaks or dips of up to 4 dB, by name."""
    rng = np.random.default_rng(crc32(microphone.encode()))
    bumps = zip(rng.uniform(200, 6000, 3), rng.uniform(0.4, 1.0, 3), rng.uniform(-4, 4, 3), strict=True)
    return both(band(rng.uniform(30, 90), rng.uniform(5500, 7800), 1.0), peaks(*bumps))


def _ventilation(run: Run) -> Array:
    """Air ducts: steep low-frequency noise with a broad resonance, its level drifting slowly."""
    rng = run.rng("ventilation")
    duct = both(band(60, rng.uniform(300, 450), 1.0), peaks((rng.uniform(220, 320), 0.5, rng.uniform(2, 6))))
    return noise(run, "duct", duct) * drift(run, "draught", 0.1)


def _pink(run: Run, name: str) -> Array:
    return noise(run, name, lambda f: np.maximum(f, 40.0) ** -0.5)


def _mains(run: Run) -> Array:
    """Transformers and lights: harmonics of 50 Hz over little pink noise."""
    levels = run.rng("mains").uniform(0.2, 1.0, 12) / np.arange(1, 13) ** 0.7
    hum = harmonics(run, "hum", turns(run, "grid", 50.0), levels)
    return hum + 0.35 * _pink(run, "pink")


def _workshop(run: Run) -> Array:
    """People at work: bangs of tools on metal at random times, over pink noise."""
    rng = run.rng("workshop")
    count = rng.poisson(rng.uniform(1.5, 4.0) * run.seconds)
    force = strikes(run, rng.uniform(0.0, run.seconds, count), rng.lognormal(0.85, 0.4, count))
    modes = [(rng.uniform(500, 4500), rng.uniform(0.01, 0.05), 1.0) for _ in range(3)]
    return 0.4 * _pink(run, "pink") + ring(run, force, *modes)


def _neighbour(run: Run) -> Array:
    """Another machine nearby: the tones of its rotation, heard through a wall, and its noise."""
    rng = run.rng("neighbour")
    phase = turns(run, "other", rng.uniform(45.0, 75.0) * drift(run, "other speed", 0.01))
    tones = harmonics(run, "other tones", phase, rng.uniform(0.1, 0.6, 16))
    return tones + 0.35 * noise(run, "other noise", band(150, 1500, 1.0))


BACKGROUNDS = {"ventilation": _ventilation, "mains": _mains, "workshop": _workshop, "neighbour": _neighbour}
