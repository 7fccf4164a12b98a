"""The sounds of the demo's fan, gearbox, bearing, slide rail and valve, healthy and faulty.

A machine's sound is the sum of the sounds of its parts. Each fault is a small change of one part, scaled by its
strength (`run.has(fault)`, zero in a healthy clip). A healthy machine at speed and load one has a level of about one.
"""

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
    left_out,
    noise,
    peaks,
    ring,
    shaped,
    sine,
    strikes,
    turns,
)


def fan(run: Run) -> Array:
    """Axial fan: tones at the blade-pass frequency (seven blades × rotation) and broadband flow noise."""
    slowed = 1.0 - 0.06 * run.has("clogged")
    rotation = turns(run, "rotation", 21.0 * run.speed * slowed * drift(run, "speed", 0.004))
    blades = harmonics(run, "blades", 7 * rotation, [0.9 / k**0.9 for k in range(1, 13)])
    hub = harmonics(run, "hub", rotation, [0.20, 0.10, 0.05])
    blade_flow = 1.0 + 0.15 * sine(7 * rotation)
    flow = noise(run, "flow", both(band(120, 900, 1.0), peaks((650, 0.5, 4.0)))) * blade_flow
    unbalanced = run.has("imbalance")
    swing = 1.0 + (0.05 + 0.7 * unbalanced) * sine(rotation)
    wave = blades * swing + (1.0 + 5.0 * unbalanced) * hub + 0.6 * run.load * flow * drift(run, "gusts", 0.08)
    return wave + _unequal_blades(run, rotation) + _rub(run, rotation) + _stall(run)


def _unequal_blades(run: Run, rotation: Array) -> Array:
    """A bent blade breaks the symmetry: all harmonics of the rotation appear, not only every seventh."""
    if not run.has("bent_blade"):
        return np.zeros(run.samples)
    return 0.32 * run.has("bent_blade") * harmonics(run, "bent", rotation, [0.7] * 24)


def _rub(run: Run, rotation: Array) -> Array:
    """A blade tip touches the shroud once per turn: short bursts of high-frequency noise."""
    if not run.has("rub"):
        return np.zeros(run.samples)
    contact = fading(run, strikes(run, every_turn(rotation, run.rate)), 0.006)
    return contact * noise(run, "rub", band(2500, 6000), 1.4 * run.has("rub"))


def _stall(run: Run) -> Array:
    """A clogged inlet stalls the flow: slow, strong low-frequency rumble (and a lower speed, see `fan`)."""
    if not run.has("clogged"):
        return np.zeros(run.samples)
    return noise(run, "stall", band(40, 220), 1.3 * run.has("clogged")) * drift(run, "surge", 0.4, 0.2)


def gearbox(run: Run) -> Array:
    """Two-stage gearbox: mesh harmonics with sidebands at both shafts' rates, filtered by the housing."""
    shaft = turns(run, "shaft", 9.0 * run.speed * drift(run, "speed", 0.003))
    worn, eccentric = run.has("wear"), run.has("eccentric")
    wheel = shaft * 23 / 41
    play = (0.04 + 0.2 * eccentric) * sine(wheel)  # in teeth; an eccentric wheel modulates the mesh phase
    rolloff = 1.1 - 0.7 * worn
    mesh = harmonics(run, "mesh", 23 * shaft + play, [1.0 / k**rolloff for k in range(1, 18)])
    swing = 1.0 + 0.12 * sine(shaft) + (0.08 + 0.8 * eccentric) * sine(wheel)
    housing = peaks((900, 0.35, 8.0), (2300, 0.25, 7.0), (4100, 0.3, 5.0))
    gears = shaped(run, mesh * swing, both(housing, band(150, 5000, 1.0)))
    oil = noise(run, "oil", both(band(200, 2500, 1.0), housing))
    return 0.4 * run.load * gears + 0.45 * oil + _broken_tooth(run, shaft) + _dry_mesh(run, shaft)


def _broken_tooth(run: Run, shaft: Array) -> Array:
    """The gap of a missing tooth knocks once per turn of the input shaft."""
    if not run.has("broken_tooth"):
        return np.zeros(run.samples)
    force = strikes(run, every_turn(shaft, run.rate), 3.0 * run.has("broken_tooth"))
    return ring(run, force, (920, 0.012, 1.0), (2350, 0.006, 0.8))


def _dry_mesh(run: Run, shaft: Array) -> Array:
    """Without oil the teeth grind: high-frequency noise, modulated at the mesh frequency."""
    if not run.has("dry"):
        return np.zeros(run.samples)
    grinding = noise(run, "dry", band(3000, 7000), 0.35 * run.has("dry"))
    return grinding * (1.0 + 0.6 * sine(23 * shaft))


_RACES = {"outer_race": 3.58, "inner_race": 5.42, "ball": 2.36}  # strikes per turn of a nine-ball bearing
_BEARING_MODES = ((2900, 0.004, 1.0), (4700, 0.003, 0.7), (1350, 0.006, 0.4))


def bearing(run: Run) -> Array:
    """Ball bearing: shaft tones, rolling rumble, and faint strikes of the balls that excite its resonances."""
    shaft = turns(run, "shaft", 29.0 * run.speed * drift(run, "speed", 0.003))
    tones = harmonics(run, "tones", shaft, [0.8, 0.45, 0.25, 0.15, 0.1])
    resonance = peaks((2900, 0.3, 8.0), (4700, 0.2, 6.0))
    friction = 0.5 * run.load * (1.0 + 0.8 * run.has("dry"))
    rumble = noise(run, "rumble", both(band(250, 3500, 1.0), resonance)) * drift(run, "roughness", 0.05)
    rolling = strikes(run, _passes(run, shaft, 3.58), 0.25 * run.load)
    return tones + friction * rumble + ring(run, rolling, *_BEARING_MODES) + _spall(run, shaft)


def _passes(run: Run, shaft: Array, per_turn: float) -> Array:
    """Return the times at which balls pass a point, with the one per cent of slip of real bearings."""
    times = every_turn(per_turn * shaft, run.rate)
    return times + run.rng("slip").normal(0.0, 0.01 / (per_turn * 29.0 * run.speed), times.size)


def _spall(run: Run, shaft: Array) -> Array:
    """A pit in a race or ball strikes at its fault frequency; on a moving part its level varies with the position."""
    if run.fault not in _RACES:
        return np.zeros(run.samples)
    times = _passes(run, shaft, _RACES[run.fault])
    turn = np.interp(times, np.arange(run.samples) / run.rate, shaft)
    carried = {"outer_race": 0.0, "inner_race": 1.0, "ball": 0.4}[run.fault]  # by shaft or cage
    weights = 1.0 + (0.8 * sine(carried * turn) if carried else 0.0)
    return ring(run, strikes(run, times, 1.3 * run.strength * weights), *_BEARING_MODES)


def slider(run: Run) -> Array:
    """Slide rail: friction noise and screw whine that follow the speed of each stroke, and clicks at both ends."""
    cycle = turns(run, "cycle", 0.8 * run.speed * drift(run, "speed", 0.006))
    moving = _stroke_made(run, cycle)
    velocity = np.abs(sine(cycle)) * moving
    friction = noise(run, "friction", both(band(500, 3500, 1.0), peaks((1700, 0.4, 5.0))))
    screw = turns(run, "screw", 40.0 + 500.0 * run.speed * velocity)
    whine = harmonics(run, "whine", screw, [0.5, 0.35, 0.2, 0.12])
    ends = every_turn(2 * cycle, run.rate)
    made = moving[np.rint(ends * run.rate).astype(int)]
    weights = 7.0 * run.load * made * (1.0 + 0.1 * run.rng("clicks").standard_normal(ends.size))
    clicks = ring(run, strikes(run, ends, weights), (1250, 0.015, 0.6), (3400, 0.006, 1.0))
    wave = (1.1 * run.load * friction + whine) * velocity + clicks
    return wave + _slack(run, ends) + _scratch(run, cycle) + _squeal(run, velocity)


def _stroke_made(run: Run, cycle: Array) -> Array:
    """Return one while the rail moves and zero in missed strokes (fault `missing_strokes`)."""
    stroke = np.floor(2 * cycle).astype(int)
    length = np.bincount(stroke)
    missed = left_out(run, "missing", 2 * length >= length.max(), 0.35 * run.has("missing_strokes"))
    return 1.0 - missed[stroke]


def _slack(run: Run, ends: Array) -> Array:
    """Backlash: each turning point clicks a second time."""
    force = strikes(run, ends + 0.045, 4.0 * run.has("slack") * run.load)
    return ring(run, force, (1250, 0.015, 0.8), (2600, 0.008, 1.0))


def _scratch(run: Run, cycle: Array) -> Array:
    """Dirt on one spot of the rail: a scrape each time the carriage passes it."""
    passing = np.exp(-((((cycle % 1.0) - 0.3) / 0.03) ** 2)) + np.exp(-((((cycle % 1.0) - 0.7) / 0.03) ** 2))
    return passing * noise(run, "scratch", band(1500, 6000), 1.2 * run.has("scratch"))


def _squeal(run: Run, velocity: Array) -> Array:
    """A dry rail sticks and slips: a squeal in every stroke."""
    pitch = turns(run, "pitch", 2150.0 * drift(run, "squeal", 0.01, 0.3))
    return 0.5 * run.has("squeal") * velocity**2 * harmonics(run, "squeal_tones", pitch, [1.0, 0.4, 0.2])


_VALVE_MODES = ((1800, 0.010, 1.0), (3600, 0.007, 0.8), (620, 0.020, 0.5))


def valve(run: Run) -> Array:
    """Solenoid valve: an irregular pattern of opening and closing clicks that ring, and puffs of air."""
    rng = run.rng("pattern")
    gaps = rng.choice([0.28, 0.42, 0.7], size=int(run.seconds * 4 * run.speed) + 8) / run.speed
    opens = np.cumsum(gaps) - rng.uniform(0.0, 0.3)
    inside = (opens > 0) & (opens < run.seconds)
    missed = left_out(run, "missed", inside, 0.55 * run.has("missed"))
    lag = 0.11 + 0.10 * run.has("sluggish") + run.rng("lag").normal(0.0, 0.002, opens.size)
    hits = 9.0 * (1.0 + 0.08 * rng.standard_normal(opens.size)) * ~missed
    closing = 0.7 * (1.0 - 0.7 * run.has("sluggish"))
    force = strikes(run, opens, hits) + strikes(run, opens + lag, closing * hits)
    force += strikes(run, opens + 0.025, 0.75 * run.has("bounce") * hits)
    puffs = fading(run, strikes(run, opens, hits / 9.0), 0.05) * noise(run, "air", band(1200, 5000))
    coil = harmonics(run, "coil", turns(run, "mains", 100.0), [0.25, 0.12, 0.08])
    return ring(run, force, *_VALVE_MODES) + 1.6 * run.load * puffs + coil + _leak(run)


def _leak(run: Run) -> Array:
    """A leaking seat hisses continuously."""
    return noise(run, "leak", band(2800, 7000), 0.5 * run.has("leak")) * drift(run, "leaking", 0.15)
