"""Recordings of one full-size machine for the benchmarks: 990 + 10 training clips and 200 test clips of 10 s."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16000


def write_machine(folder: Path, train: int = 1000, test: int = 200, seconds: float = 10.0) -> Path:
    """Write noise-like recordings in DCASE layout, unless they exist, and return their folder; all clips differ."""
    machine = folder / "machine"
    if machine.is_dir():
        return machine
    unfinished = folder / "unfinished"
    names = [
        f"train/section_00_{'target' if i < train // 100 else 'source'}_train_normal_{i:04d}" for i in range(train)
    ]
    for i in range(test):
        domain, label = ("source", "target")[i % 2], ("normal", "anomaly")[i // 2 % 2]
        names.append(f"test/section_00_{domain}_test_{label}_{i:04d}")
    hum = np.sin(2 * np.pi * 120 * np.arange(round(RATE * seconds)) / RATE)
    for number, name in enumerate(names):
        random = np.random.default_rng(number)
        samples = 0.1 * hum * random.uniform(0.5, 1) + 0.05 * random.standard_normal(len(hum))
        path = unfinished / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE, subtype="PCM_16")
    return unfinished.rename(machine)
