"""Check a noise pool and store it as pieces of one length, one row per piece."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.clip_audio import read_recording
from asdlib.data.clip_format import ClipFormat
from asdlib.data.listing import encodable, recordings_and_others, unused
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


@dataclass(frozen=True)
class NoiseSettings(ClipFormat):
    """The clip format, and a fingerprint of the pool's files."""

    recordings: str


def prepare_noise(recordings: Path, dataset: str, out: Path, settings: NoiseSettings) -> None:
    """Write `out`: int16 audio with the length and sampling rate of the clip format, and kind `noise`.

    Longer recordings are split into several rows. The last piece is padded with zeros; the column `samples` is its
    length without the padding. Raises AsdError for a folder without recordings.
    """
    entries, others = recordings_and_others(recordings)
    paths = [Path(entry) for entry in entries]
    if not paths:
        raise AsdError(f"{recordings}: contains no recordings of noise: correct noise_pool")
    if others:
        _notice.warning("%s: %s", recordings, unused(others))
    pieces = _pieces(paths, settings)
    count = 0
    recipe = {"dataset": dataset, "machine": None, **asdict(settings)}
    with writing(out, recipe, audio=("int16", (settings.samples,))) as table:
        while batch := list(islice(pieces, ROWS)):
            rows, audio = zip(*batch, strict=True)
            table.write(clip_rows(list(rows)), audio=np.stack(audio))
            count += len(rows)
    _log.info("%s: %d recordings of noise in %d pieces of up to %g s", dataset, len(paths), count, settings.seconds)


def _pieces(paths: list[Path], wanted: ClipFormat) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    for path in paths:
        samples = read_recording(path, wanted)
        for number, start in enumerate(range(0, len(samples), wanted.samples)):
            piece = np.zeros(wanted.samples, np.int16)
            kept = samples[start : start + wanted.samples]
            piece[: len(kept)] = kept
            yield _row(f"{encodable(path.stem)}_{number:03d}", path, len(kept), len(samples)), piece


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
        "source_file": encodable(path.name),
    }
