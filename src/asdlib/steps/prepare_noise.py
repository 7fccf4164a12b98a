"""Check a pool of background noise and store it in pieces of one length, one row a piece."""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.recordings import read_wav
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


def prepare_noise(recordings: Path, dataset: str, out: Path, settings: dict[str, Any]) -> None:
    """Write `out`: int16 audio of `settings["seconds"]` at `settings["sample_rate"]` Hz, kind `noise`.

    Longer recordings become several rows; what is left at the end of one is padded with zeros (column `samples`).
    """
    length = round(settings["seconds"] * settings["sample_rate"])
    paths = sorted(path for path in recordings.glob("*.wav") if not path.name.startswith("."))
    if not paths:
        raise AsdError(f"{recordings}: holds no .wav files of noise: correct noise_pool")
    pieces = _pieces(paths, length, settings)
    count = 0
    with writing(out, {"dataset": dataset, "machine": None, **settings}, audio=("int16", (length,))) as table:
        while batch := list(islice(pieces, ROWS)):
            rows, audio = zip(*batch, strict=True)
            table.write(clip_rows(list(rows)), audio=np.stack(audio))
            count += len(rows)
    _log.info("%s: %d recordings of noise in %d pieces of up to %g s", dataset, len(paths), count, settings["seconds"])


def _pieces(paths: list[Path], length: int, settings: dict[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    for path in paths:
        samples = read_wav(path, settings["sample_rate"], settings["resample"], settings["downmix"])
        if not settings["allow_silent"] and not samples.any():
            raise AsdError(f"{path}: is digital silence: replace or remove it, or set prepare.allow_silent: true")
        for number, start in enumerate(range(0, len(samples), length)):
            piece = np.zeros(length, np.int16)
            kept = samples[start : start + length]
            piece[: len(kept)] = kept
            yield _row(f"{path.stem}_{number:03d}", path, len(kept), len(samples)), piece


def _row(name: str, path: Path, samples: int, recorded: int) -> dict[str, Any]:
    return {
        "clip": name,
        "section": None,
        "domain": None,
        "split": "supplemental",
        "label": None,
        "attributes": {},
        "kind": "noise",
        "samples": samples,
        "recorded_samples": recorded,
        "frames": None,
        "source_file": path.name,
    }
