"""Clip tables of synthetic audio."""

from pathlib import Path

import numpy as np

from asdlib.data.tables import ClipTable, clip_rows, writing

RATE = 1000
SPLITS = {"train": "train", "test": "test", "clean": "supplemental", "noise": "supplemental"}


def audio_table(
    path: Path,
    clips: dict[str, list[np.ndarray]],
    target: int = 0,
    notes: dict | None = None,
    length: int = 1000,
    recipe: dict | None = None,
    dtype: str = "int16",
) -> ClipTable:
    """Write a table of clips, given as recordings by kind and padded with zeros to `length`.

    The machine is named like the file. The last `target` training clips are of the target domain.
    """
    made_by = {"machine": path.stem, "sample_rate": RATE, **(recipe or {})}
    with writing(path, made_by, notes, audio=(dtype, (length,))) as table:
        for kind, recordings in clips.items():
            audio = np.zeros((len(recordings), length), dtype)
            rows = []
            for number, samples in enumerate(recordings):
                audio[number, : len(samples)] = samples
                domain = "target" if kind == "train" and number >= len(recordings) - target else "source"
                rows.append(_row(path.stem, kind, number, domain, len(samples)))
            if rows:
                table.write(clip_rows(rows), audio=audio)
    return ClipTable(path)


def noise_clips(count: int, level: int, seed: int, length: int = 1000) -> list[np.ndarray]:
    """Return recordings of white noise, int16, with amplitudes up to `level`."""
    rng = np.random.default_rng(seed)
    return [np.rint(rng.uniform(-level, level, length)).astype(np.int16) for _ in range(count)]


def _row(machine: str, kind: str, number: int, domain: str, samples: int) -> dict:
    clip = f"section_00_{domain}_{kind}_normal_{number:04d}"
    return {
        "clip": clip,
        "section": "00",
        "domain": domain,
        "split": SPLITS[kind],
        "label": None,
        "attributes": {"speed": str(number)},
        "kind": kind,
        "samples": samples,
        "recorded_samples": samples,
        "frames": None,
        "source_file": f"{machine}/{SPLITS[kind]}/{clip}.wav",
    }
