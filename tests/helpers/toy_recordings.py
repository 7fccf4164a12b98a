"""Toy recordings in the layout of DCASE 2025, made in milliseconds and sufficient for every stage."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
PREPARE = {
    "sample_rate": RATE,
    "seconds": 0.1,
    "resample": False,
    "downmix": False,
    "channel": None,
    "longer": "cut",
    "allow_silent": False,
    "strict": True,
    "layout": "challenge",
    "test_share": 0.0,
    "supplements": None,
    "sections": ["00"],
    "recordings": None,
}


def make_machine(
    folder: Path,
    *,
    train: int = 6,
    target: int = 2,
    test: int = 2,
    seconds: float = 1.0,
    sections: tuple[str, ...] = ("00",),
    supplement: str | None = "noise",
    attributes: bool = True,
    seed: int = 0,
) -> Path:
    """Write a machine's recordings to `folder` and return it.

    Each section has `train` normal training clips of the source domain and `target` of the target domain, `test` test
    clips per domain and label, and two supplemental clips ("noise", "machine", or None for no folder). Without
    `attributes`, the names end in `_noAttribute.wav` and the CSV has only the column `file_name`, as published.
    """
    rng = np.random.default_rng(seed)
    for section in sections:
        written = list(_section(section, train, target, test, attributes))
        for name, label in written:
            write_wav(folder / name, sound(rng, seconds, anomalous=label == "anomaly"))
        _write_attributes(folder, section, [name for name, _ in written], attributes)
        for number in range(2 if supplement else 0):
            tail = "_noAttribute" if supplement == "machine" else ""
            name = f"section_{section}_{supplement}_{number:04d}{tail}.wav"
            write_wav(folder / "supplemental" / name, sound(rng, seconds, level=0.0 if supplement == "noise" else 0.1))
    return folder


def sound(rng: np.random.Generator, seconds: float, anomalous: bool = False, level: float = 0.1) -> np.ndarray:
    """Return a hum of `level` in noise, float64 in [-1, 1]; an `anomalous` one has a tone at 3 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    hum = level * np.sin(2 * np.pi * 120 * time + rng.uniform(0, 2 * np.pi))
    tone = 0.05 * np.sin(2 * np.pi * 3000 * time) if anomalous else 0.0
    return hum + tone + 0.02 * rng.standard_normal(len(time))


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Write samples (time,) or (time, channels), creating the folders, and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype, format="WAV")
    return path


def _section(section: str, train: int, target: int, test: int, attributes: bool) -> Iterator[tuple[str, str]]:
    """Yield (path below the machine, label) of a section's training and test clips."""
    for domain, count in (("source", train), ("target", target)):
        for number in range(count):
            yield _name("train", section, domain, "normal", number, attributes), "normal"
    for domain in ("source", "target"):
        for label in ("normal", "anomaly"):
            for number in range(test):
                yield _name("test", section, domain, label, number, attributes), label


def _name(split: str, section: str, domain: str, label: str, number: int, attributes: bool) -> str:
    tail = f"spd_{number % 2}_mic_{domain}" if attributes else "noAttribute"
    return f"{split}/section_{section}_{domain}_{split}_{label}_{number:04d}_{tail}.wav"


def _write_attributes(folder: Path, section: str, names: Iterable[str], attributes: bool) -> None:
    with (folder / f"attributes_{section}.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["file_name", "d1p", "d1v", "d2p", "d2v"] if attributes else ["file_name"])
        for name in names:
            speed, mic = name.removesuffix(".wav").split("_")[-3::2] if attributes else ("", "")
            writer.writerow([name, "spd", speed, "mic", mic] if attributes else [name])


def flac_without_length(path: Path, samples: np.ndarray) -> None:
    """Write a FLAC file as a pipe gets it: the 36 bits of its header that count samples are 0."""
    soundfile.write(path, samples, RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
