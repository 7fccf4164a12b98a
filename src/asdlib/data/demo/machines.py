"""The table of the demo's seven machines: sounds, faults, operating conditions, attributes and supplements.

As in the development set of 2025, bearing, slider and ToyTrain have no attributes, ToyCar and bearing have clean sound,
and the fan has noise. No publication says which of the two the other machines have; here it is a choice.

Bearing, fan and gearbox, the machines of config/demo.yaml, run where it is quiet or hums in the source domain, and
beside another machine in the target domain: a shift that a separator can undo.
"""

from collections.abc import Callable
from dataclasses import dataclass

from asdlib.data.demo import sounds, toys
from asdlib.data.demo.signal import Array, Run


@dataclass(frozen=True)
class Condition:
    """An operating condition of a machine: its attributes as recorded, and their effect on the sound."""

    attributes: dict[str, str]
    speed: float
    load: float
    microphone: str
    background: str


@dataclass(frozen=True)
class Machine:
    """A machine of the demo: its sound, its conditions, and what its files state."""

    sound: Callable[[Run], Array]
    faults: tuple[str, str, str, str]
    source: tuple[Condition, ...]
    target: tuple[Condition, ...]
    supplement: str  # "machine": clean sound of the source domain; "noise": background without the machine
    style: str  # file names in its attributes CSV: "path" for <machine>/<split>/<name>.wav, "stem" for <name>
    attributes: bool = True  # False: the conditions vary, but names and CSV do not state them


def _fan(spd: str, mic: str, speed: float, load: float, background: str) -> Condition:
    return Condition({"spd": spd, "mic": mic}, speed, load, f"fan {mic}", background)


def _gearbox(volt: str, wt: str, speed: float, load: float, background: str) -> Condition:
    return Condition({"volt": volt, "wt": wt}, speed, load, "gearbox", background)


def _bearing(vel: str, loc: str, speed: float, load: float, background: str) -> Condition:
    return Condition({"vel": vel, "loc": loc}, speed, load, f"bearing {loc}", background)


def _slider(vel: str, speed: float, load: float, mic: str, background: str) -> Condition:
    return Condition({"vel": vel}, speed, load, f"slider {mic}", background)


def _valve(pat: str, pan: str, speed: float, load: float, background: str) -> Condition:
    return Condition({"pat": pat, "pan": pan}, speed, load, f"valve {pan}", background)


def _toy(car: str, spd: str, mic: str, speed: float, load: float, background: str) -> Condition:
    return Condition({"car": car, "spd": spd, "mic": mic}, speed, load, f"toy {mic}", background)


MACHINES: dict[str, Machine] = {
    "ToyCar": Machine(
        sound=toys.toy_car,
        faults=("bent_shaft", "chipped_gear", "loose_contact", "rubbing_wheel"),
        source=(
            _toy("A1", "28V", "1", 1.0, 1.0, "ventilation"),
            _toy("A1", "31V", "1", 1.1, 1.0, "ventilation"),
            _toy("B1", "28V", "1", 0.96, 1.2, "mains"),
        ),
        target=(_toy("A2", "40V", "2", 1.36, 1.05, "workshop"), _toy("B2", "40V", "2", 1.3, 1.2, "workshop")),
        supplement="machine",
        style="stem",
    ),
    "ToyTrain": Machine(
        sound=toys.toy_train,
        faults=("flat_wheel", "broken_joint", "debris", "overload"),
        source=(
            _toy("C1", "6", "1", 1.0, 1.0, "neighbour"),
            _toy("C1", "8", "1", 1.15, 1.0, "neighbour"),
            _toy("C2", "6", "1", 0.95, 1.2, "ventilation"),
        ),
        target=(_toy("C3", "10", "3", 1.4, 1.1, "mains"), _toy("C3", "9", "3", 1.3, 1.1, "mains")),
        supplement="noise",
        style="stem",
        attributes=False,
    ),
    "bearing": Machine(
        sound=sounds.bearing,
        faults=("outer_race", "inner_race", "ball", "dry"),
        source=(
            _bearing("16", "bench_A", 1.0, 1.0, "mains"),
            _bearing("20", "bench_A", 1.2, 1.0, "mains"),
            _bearing("12", "bench_B", 0.8, 1.1, "ventilation"),
        ),
        target=(
            _bearing("24", "bench_C", 1.45, 1.1, "neighbour"),
            _bearing("8", "bench_C", 0.65, 0.9, "neighbour"),
        ),
        supplement="machine",
        style="stem",
        attributes=False,
    ),
    "fan": Machine(
        sound=sounds.fan,
        faults=("imbalance", "rub", "clogged", "bent_blade"),
        source=(
            _fan("1", "1", 0.9, 0.9, "ventilation"),
            _fan("2", "1", 1.0, 1.0, "ventilation"),
            _fan("3", "2", 1.1, 1.15, "mains"),
        ),
        target=(_fan("4", "3", 1.3, 1.4, "neighbour"), _fan("5", "3", 1.4, 1.5, "neighbour")),
        supplement="noise",
        style="path",
    ),
    "gearbox": Machine(
        sound=sounds.gearbox,
        faults=("broken_tooth", "wear", "eccentric", "dry"),
        source=(
            _gearbox("1.0", "0", 0.9, 0.8, "ventilation"),
            _gearbox("1.5", "50", 1.0, 1.0, "ventilation"),
            _gearbox("2.0", "100", 1.1, 1.2, "mains"),
        ),
        target=(_gearbox("2.5", "150", 1.3, 1.4, "neighbour"), _gearbox("3.0", "150", 1.4, 1.4, "neighbour")),
        supplement="machine",
        style="path",
    ),
    "slider": Machine(
        sound=sounds.slider,
        faults=("missing_strokes", "slack", "scratch", "squeal"),
        source=(
            _slider("300", 0.9, 1.0, "near", "ventilation"),
            _slider("400", 1.0, 1.0, "near", "mains"),
            _slider("500", 1.1, 1.0, "near", "ventilation"),
        ),
        target=(_slider("700", 1.4, 1.2, "far", "workshop"), _slider("900", 1.6, 1.2, "far", "workshop")),
        supplement="noise",
        style="path",
        attributes=False,
    ),
    "valve": Machine(
        sound=sounds.valve,
        faults=("leak", "sluggish", "missed", "bounce"),
        source=(
            _valve("00", "open", 1.0, 1.0, "neighbour"),
            _valve("01", "open", 1.2, 1.0, "neighbour"),
            _valve("02", "half", 0.9, 1.2, "ventilation"),
        ),
        target=(_valve("03", "closed", 1.5, 0.8, "mains"), _valve("04", "closed", 0.7, 0.8, "mains")),
        supplement="machine",
        style="path",
    ),
}
