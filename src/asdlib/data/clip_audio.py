"""The conversion of recordings into a table of clips of equal length."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.clip import Clip
from asdlib.data.clip_format import ClipFormat
from asdlib.data.listing import encodable
from asdlib.data.recordings import read_wav
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError


def write_audio(clips: Sequence[Clip], out: Path, recipe: dict[str, Any], wanted: ClipFormat) -> tuple[int, int]:
    """Write `out`: int16 audio in the wanted format and each clip's metadata; the file's header holds `recipe`.

    `clips` must be grouped by kind. Shorter recordings are padded with zeros at the end, longer ones are cut at the
    end. The columns `samples` (real samples kept) and `recorded_samples` show which; both count samples at the
    format's rate.

    Return the number of clips cut and the number padded. Raise AsdError if a recording cannot be read
    in this format.
    """
    cut = padded = 0
    with writing(out, recipe, audio=("int16", (wanted.samples,))) as table:
        for batch in _batches(clips):
            audio = np.zeros((len(batch), wanted.samples), np.int16)
            rows = []
            for row, clip in zip(audio, batch, strict=True):
                samples = read_clip(clip, wanted)
                cut += len(samples) > wanted.samples
                padded += len(samples) < wanted.samples
                kept = min(len(samples), wanted.samples)
                row[:kept] = samples[:kept]
                rows.append(_row(clip, kept, len(samples)))
            table.write(clip_rows(rows), audio=audio)
    return cut, padded


def read_clip(clip: Clip, wanted: ClipFormat) -> np.ndarray:
    """Return a clip's samples as `read_recording` does; a training or test clip too short for a model is refused."""
    samples = read_recording(clip.path, wanted)
    if clip.split != "supplemental" and len(samples) < wanted.shortest:
        given, least = len(samples) / wanted.sample_rate, wanted.shortest / wanted.sample_rate
        raise AsdError(f"{clip.path}: lasts {given:.3g} s, a clip needs {least:.3g} s: replace or remove it")
    return samples


def read_recording(path: Path, wanted: ClipFormat) -> np.ndarray:
    """Return a recording's samples, int16 (samples,), at the format's rate; digital silence is refused by default."""
    samples = read_wav(path, wanted.sample_rate, wanted.resample, wanted.downmix)
    if not wanted.allow_silent and not samples.any():
        raise AsdError(f"{path}: is digital silence: replace or remove it, or set prepare.allow_silent: true")
    return samples


def _batches(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Split the clips into batches of one kind."""
    kinds = [list(same) for _, same in groupby(clips, key=lambda clip: clip.kind)]
    return [same[start : start + ROWS] for same in kinds for start in range(0, len(same), ROWS)]


def _row(clip: Clip, samples: int, recorded: int) -> dict[str, Any]:
    return {
        "clip": encodable(clip.name),
        "section": clip.section,
        "domain": clip.domain,
        "split": clip.split,
        "label": clip.label,
        "attributes": clip.attributes,
        "kind": clip.kind,
        "samples": samples,
        "recorded_samples": recorded,
        "frames": None,
        "source_file": encodable(clip.source_file),
    }
