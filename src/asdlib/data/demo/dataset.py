"""The demo dataset: synthetic machine sounds in the layout of DCASE 2025 Task 2.

A clip depends only on the settings, its machine and its name. A larger dataset therefore contains the smaller one,
clips can be made in any order, and the same settings give the same bytes.
"""

import csv
import dataclasses
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asdlib.data.demo import machines
from asdlib.data.demo.machines import Condition
from asdlib.data.demo.room import BACKGROUNDS, record
from asdlib.data.demo.signal import Array, Run, stream
from asdlib.data.files import atomic
from asdlib.errors import AsdError

MACHINES: tuple[str, ...] = tuple(machines.MACHINES)
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0  # any number of its multiples, modulo 1, covers [0, 1) evenly


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demo dataset. An anomaly of difficulty 0 is obvious, one of difficulty 1 inaudible.

    `train_target` is 2, not one per cent of the source clips: there are two target conditions, and with a single clip
    there would be no neighbour to interpolate with and no variance.
    """

    seed: int = 2025
    train_source: int = 99
    train_target: int = 2
    test_per_cell: int = 10  # for each of normal and anomaly, source and target
    supplements: int = 10
    seconds: float = 10.0
    odd_lengths: float = 0.05  # share of the clips that last 0.6 to 1.2 times `seconds`
    sample_rate: int = 16000
    snr_db: float = 3.0
    difficulty: tuple[float, float] = (0.0, 0.8)  # easiest and hardest anomaly
    shift: float = 1.0  # of the target domain's speed and load; 0: those of the source domain, 1: those of the table

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "DemoSettings":
        """Return the settings in a block of the config; raise AsdError, naming the key, if one is unknown or wrong."""
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        for key, value in values.items():
            if key not in fields:
                raise AsdError(f"demo.{key}: unknown setting: use one of {', '.join(fields)}")
            _check_type(key, value, fields[key])
        return cls(**{key: tuple(value) if key == "difficulty" else value for key, value in values.items()})

    def fetch(self, machine: str, folder: Path, *_: Any) -> None:
        """Create the machine's folder, as every source does (see `asdlib.data.sources`)."""
        synthesise(machine, folder, self)

    def count(self, machine: str) -> Counter[str]:
        """Return the number of clips that `fetch` makes, by the kinds of `asdlib.data.layout`."""
        names = {"machine": "clean", "noise": "noise"}
        return Counter(names.get(clip.kind, clip.split) for clip in plan(machine, self))

    def __post_init__(self) -> None:
        """Raise AsdError if a value is out of range."""
        rules = {
            "seed": (self.seed >= 0, "zero or more"),
            "train_source": (self.train_source >= 1, "one or more"),
            "train_target": (self.train_target >= 0, "zero or more"),
            "test_per_cell": (self.test_per_cell >= 0, "zero or more"),
            "supplements": (self.supplements >= 0, "zero or more"),
            "seconds": (0.5 <= self.seconds <= 600, "between 0.5 and 600"),
            "odd_lengths": (0 <= self.odd_lengths <= 1, "between 0 and 1"),
            "sample_rate": (8000 <= self.sample_rate <= 192000, "between 8000 and 192000"),
            "snr_db": (-40 <= self.snr_db <= 40, "between -40 and 40"),
            "shift": (0 <= self.shift <= 1, "between 0 and 1"),
            "difficulty": (0 <= self.difficulty[0] <= self.difficulty[1] <= 1, "two in order, in [0, 1]"),
        }
        for key, (holds, demand) in rules.items():
            if not holds:
                raise AsdError(f"demo.{key}: {getattr(self, key)} is out of range: give {demand}")


def _check_type(key: str, value: object, default: object) -> None:
    """Raise AsdError unless the value has the type of the setting's default; an int is accepted for a float."""
    numbers = value if isinstance(default, tuple) and isinstance(value, list | tuple) else [value]
    wanted = int if isinstance(default, int) else (int, float)
    fits = all(isinstance(number, wanted) and not isinstance(number, bool) for number in numbers)
    if not fits or len(numbers) != (2 if isinstance(default, tuple) else 1):
        words = {int: "a whole number", float: "a number", tuple: "two numbers"}[type(default)]
        raise AsdError(f"demo.{key}: {value!r} is not {words}: give one like {default}")


@dataclass(frozen=True)
class Clip:
    """A clip to synthesise: its folder, its name and its content."""

    split: str  # train, test or supplemental
    name: str  # file name without .wav
    identity: str  # seeds its random numbers
    condition: Condition
    domain: str = "source"
    kind: str = "mixture"  # or machine (clean) or noise (background only)
    fault: str = ""
    strength: float = 0.0


def synthesise(machine: str, folder: Path, settings: DemoSettings) -> None:
    """Write the folder of one demo machine: train/, test/, supplemental/ and attributes_00.csv.

    The folder appears complete or not at all. Raises AsdError if the machine is unknown.
    """
    clips = list(plan(machine, settings))
    with atomic(Path(folder)) as temporary:
        for clip in clips:
            path = temporary / clip.split / f"{clip.name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_wav(path, render(machine, clip, settings), settings.sample_rate)
        _write_attributes(temporary / "attributes_00.csv", machine, clips)


def plan(machine: str, settings: DemoSettings) -> Iterator[Clip]:
    """Yield all clips of one machine: training, test and supplemental."""
    if machine not in MACHINES:
        raise AsdError(f"demo.machines: there is no machine {machine!r}: choose from {', '.join(MACHINES)}")
    for domain, count in (("source", settings.train_source), ("target", settings.train_target)):
        yield from (_clip(machine, domain, "train", "normal", index, settings) for index in range(count))
    for domain in ("source", "target"):
        for label in ("normal", "anomaly"):
            cell = range(settings.test_per_cell)
            yield from (_clip(machine, domain, "test", label, index, settings) for index in cell)
    yield from (_supplement(machine, index) for index in range(1, settings.supplements + 1))


def _clip(machine: str, domain: str, split: str, label: str, index: int, settings: DemoSettings) -> Clip:
    made = machines.MACHINES[machine]
    condition = _condition(made.source if domain == "source" else made.target, index)
    name = f"section_00_{domain}_{split}_{label}_{index:04d}"
    clip = Clip(split, f"{name}_{_suffix(machine, condition)}", f"{machine}/{name}", condition, domain)
    if label == "normal":
        return clip
    easy, hard = settings.difficulty
    start = 0.5 if domain == "source" else 0.75
    difficulty = easy + (hard - easy) * ((start + index * _GOLDEN) % 1.0)
    return dataclasses.replace(clip, fault=made.faults[index % len(made.faults)], strength=1.0 - difficulty)


def _supplement(machine: str, index: int) -> Clip:
    made = machines.MACHINES[machine]
    condition = _condition(made.source, index)
    name = f"section_00_{made.supplement}_{index:04d}"
    suffix = f"_{_suffix(machine, condition)}"
    if made.supplement == "noise":  # of the whole hall: these clips are the noise for the other machines' mixtures too
        backgrounds = tuple(BACKGROUNDS)
        condition = dataclasses.replace(condition, background=backgrounds[index % len(backgrounds)])
        suffix = ""
    return Clip("supplemental", name + suffix, f"{machine}/{name}", condition, kind=made.supplement)


def _condition(choices: tuple[Condition, ...], index: int) -> Condition:
    """Return the conditions in turn, skipping one every four clips so that each of four faults meets each condition."""
    return choices[(index + index // 4) % len(choices)]


def _suffix(machine: str, condition: Condition) -> str:
    """Return the part of a clip's name that lists its attributes."""
    if not machines.MACHINES[machine].attributes:
        return "noAttribute"
    return "_".join(part for pair in condition.attributes.items() for part in pair)


def render(machine: str, clip: Clip, settings: DemoSettings) -> Array:
    """Return the samples of one clip, float (samples,) in [-0.9, 0.9]."""
    rng = stream(settings.seed, f"{clip.identity}/setting")
    shift = 1.0 if clip.domain == "source" else settings.shift
    speed, load = (1.0 + shift * (value - 1.0) for value in (clip.condition.speed, clip.condition.load))
    speed, load = speed * rng.normal(1.0, 0.015), load * rng.normal(1.0, 0.06)
    snr = settings.snr_db + rng.uniform(-1.5, 1.5)
    odd, factor = rng.uniform() < settings.odd_lengths, rng.uniform(0.6, 1.2)
    samples = round(settings.seconds * settings.sample_rate * (factor if odd else 1.0))
    run = Run(samples, settings.sample_rate, settings.seed, clip.identity, speed, load)
    run = dataclasses.replace(run, fault=clip.fault, strength=clip.strength)
    wave = None if clip.kind == "noise" else machines.MACHINES[machine].sound(run)
    background = None if clip.kind == "machine" else clip.condition.background
    return record(run, wave, background, clip.condition.microphone, snr)


def _write_wav(path: Path, wave: Array, rate: int) -> None:
    content = io.BytesIO()  # encoded in memory first, so that a full disk raises an OSError, which `atomic` reports
    soundfile.write(content, np.rint(wave * 32767.0).astype(np.int16), rate, subtype="PCM_16", format="WAV")
    path.write_bytes(content.getvalue())


def _write_attributes(path: Path, machine: str, clips: list[Clip]) -> None:
    """Write the attributes of training and test clips in the machine's style (the challenge has three styles)."""
    made = machines.MACHINES[machine]
    count = len(made.source[0].attributes) if made.attributes else 0
    header = ["file_name", *(f"d{number}{part}" for number in range(1, count + 1) for part in "pv")]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        for clip in sorted(clips, key=lambda clip: (clip.split, clip.name)):
            if clip.split != "supplemental":
                first = f"{machine}/{clip.split}/{clip.name}.wav" if made.style == "path" else clip.name
                pairs = list(clip.condition.attributes.items())[:count]
                writer.writerow([first, *(text for pair in pairs for text in pair)])
