"""Recordings stored as clips of one length, one row a clip."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.layout import Clip
from asdlib.data.recordings import read_wav
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError


def write_audio(
    clips: Sequence[Clip], out: Path, dataset: str, machine: str, settings: dict[str, Any]
) -> tuple[int, int]:
    """Write `out`: int16 audio of `settings["seconds"]` at `settings["sample_rate"]` Hz and each clip's metadata.

    Clips come kind by kind. Shorter recordings are padded with zeros at the end, longer ones lose their end; both can
    be told from the columns `samples` (real samples kept) and `recorded_samples` (both at `sample_rate`).

    Returns how many clips were cut and how many padded. Raises AsdError for a recording that cannot be read so.
    """
    length = round(settings["seconds"] * settings["sample_rate"])
    cut = padded = 0
    recipe = {"dataset": dataset, "machine": machine, **settings}
    with writing(out, recipe, audio=("int16", (length,))) as table:
        for batch in _batches(clips):
            audio = np.zeros((len(batch), length), np.int16)
            rows = []
            for row, clip in zip(audio, batch, strict=True):
                samples = _read(clip, settings)
                cut += len(samples) > length
                padded += len(samples) < length
                kept = min(len(samples), length)
                row[:kept] = samples[:kept]
                rows.append(_row(clip, kept, len(samples)))
            table.write(clip_rows(rows), audio=audio)
    return cut, padded


def _batches(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Cut the clips into pieces of one kind."""
    kinds = [list(same) for _, same in groupby(clips, key=lambda clip: clip.kind)]
    return [same[start : start + ROWS] for same in kinds for start in range(0, len(same), ROWS)]


def _read(clip: Clip, settings: dict[str, Any]) -> np.ndarray:
    samples = read_wav(clip.path, settings["sample_rate"], settings["resample"], settings["downmix"])
    if not settings["allow_silent"] and not samples.any():
        raise AsdError(f"{clip.path}: is digital silence: replace or remove it, or set prepare.allow_silent: true")
    return samples


def _row(clip: Clip, samples: int, recorded: int) -> dict[str, Any]:
    return {
        "clip": clip.name,
        "section": clip.section,
        "domain": clip.domain,
        "split": clip.split,
        "label": clip.label,
        "attributes": clip.attributes,
        "kind": clip.kind,
        "samples": samples,
        "recorded_samples": recorded,
        "frames": None,
        "source_file": clip.source_file,
    }
