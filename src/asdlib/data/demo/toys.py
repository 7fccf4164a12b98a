"""The sounds of the demo's ToyCar and ToyTrain, healthy and faulty, composed as in `asdlib.data.demo.sounds`."""

import numpy as np

from asdlib.data.demo.signal import (
    Array,
    Run,
    band,
    both,
    drift,
    every_turn,
    fading,
    harmonics,
    noise,
    peaks,
    ring,
    shaped,
    sine,
    strikes,
    turns,
)


def toy_car(run: Run) -> Array:
    """Toy car on rollers: the whine of a small DC motor and its plastic gears, and rolling noise."""
    supply = drift(run, "supply", 0.08 * run.has("loose_contact"), 0.12)
    motor = turns(run, "motor", 95.0 * run.speed * supply * drift(run, "speed", 0.006))
    wheel = motor / 9.5
    brushes = harmonics(run, "brushes", 6 * motor, [0.5, 0.35, 0.25, 0.15, 0.1, 0.06])
    gears = harmonics(run, "gears", 9 * motor, [0.6, 0.4, 0.2, 0.1, 0.05]) * (1.0 + 0.15 * sine(wheel))
    body = peaks((1100, 0.4, 5.0), (2800, 0.3, 6.0))
    swing = 1.0 + (0.06 + 0.8 * run.has("bent_shaft")) * sine(wheel)
    rolling = noise(run, "rolling", both(band(180, 2200, 1.0), body)) * drift(run, "floor", 0.06)
    wave = shaped(run, brushes + run.load * gears, body) * 0.6 * swing + 0.6 * run.load * rolling
    return wave + _chipped_gear(run, wheel) + _rubbing_wheel(run, wheel)


def _chipped_gear(run: Run, wheel: Array) -> Array:
    """A damaged tooth of the axle's gear ticks once per turn of the wheel."""
    force = strikes(run, every_turn(wheel, run.rate), 2.5 * run.has("chipped_gear"))
    return ring(run, force, (2800, 0.004, 1.0), (1150, 0.006, 0.6))


def _rubbing_wheel(run: Run, wheel: Array) -> Array:
    """A wheel that is out of true rubs against the body during a part of each turn."""
    contact = np.maximum(sine(wheel), 0.0) ** 4
    return contact * noise(run, "rubbing", band(1800, 5500), 1.1 * run.has("rubbing_wheel"))


def toy_train(run: Run) -> Array:
    """Toy train on a circular track: motor tone, rolling noise, and clicks of the axles on the rail joints."""
    slowed = run.speed * (1.0 - 0.08 * run.has("overload"))
    lap = turns(run, "lap", 0.20 * slowed * drift(run, "speed", 0.008))
    motor = 260 * lap
    tone = harmonics(run, "motor", 3 * motor, [0.6, 0.35, 0.25, 0.15, 0.1, 0.07])
    tone = tone * (1.0 + 1.4 * run.has("overload"))
    wheels = both(band(350, 2800, 1.0), peaks((1500, 0.3, 6.0), (4200, 0.3, 4.0)))
    rolling = noise(run, "rolling", wheels) * (1.0 + 0.2 * sine(lap))
    wave = 0.7 * tone + 0.6 * run.load * rolling + _joints(run, lap)
    return wave + _flat_wheel(run, lap) + _debris(run, lap)


def _joints(run: Run, lap: Array) -> Array:
    """Eight joints per lap, each struck by two axles; with the fault `broken_joint`, two of them are louder."""
    times = every_turn(8 * lap, run.rate)
    joint = np.rint(8 * np.interp(times, np.arange(run.samples) / run.rate, lap)).astype(int) % 8
    weights = 4.0 * run.load * (1.0 + 0.15 * np.sin(2.4 * joint))  # each joint is slightly different
    weights = weights * (1.0 + 2.0 * run.has("broken_joint") * (joint % 4 == 0))
    force = strikes(run, times, weights) + strikes(run, times + 0.06 / run.speed, 0.8 * weights)
    return ring(run, force, (950, 0.010, 1.0), (2700, 0.006, 0.7))


def _flat_wheel(run: Run, lap: Array) -> Array:
    """A flat spot thumps once per turn of the wheel, sixty times per lap."""
    force = strikes(run, every_turn(60 * lap, run.rate), 3.5 * run.has("flat_wheel"))
    return ring(run, force, (430, 0.010, 1.0), (1500, 0.005, 0.7))


def _debris(run: Run, lap: Array) -> Array:
    """Debris on the rails is scraped along twice per lap."""
    scrape = fading(run, strikes(run, every_turn(2 * lap, run.rate)), 0.25)
    return scrape * noise(run, "debris", band(2000, 6500), 1.6 * run.has("debris"))
