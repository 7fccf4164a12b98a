"""Check a machine's recordings and store them as clips of one length, one row a clip."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.layout import Clip, scan
from asdlib.data.recordings import read_wav
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


def prepare(recordings: Path, dataset: str, machine: str, out: Path, settings: dict[str, Any]) -> None:
    """Write `out`: int16 audio of `settings["seconds"]` at `settings["sample_rate"]` Hz and each clip's metadata.

    Shorter recordings are padded with zeros at the end, longer ones lose their end; both are counted in the log and
    can be told from the columns `samples` (real samples kept) and `recorded_samples` (both at `sample_rate`).
    """
    length = round(settings["seconds"] * settings["sample_rate"])
    clips = _wanted(scan(recordings, machine, settings["strict"]), recordings, machine, settings["sections"])
    recipe = {"dataset": dataset, "machine": machine, **settings}
    cut = padded = 0
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
    _log.info(
        "%s/%s: %d clips, %d cut and %d padded to %g s",
        dataset,
        machine,
        len(clips),
        cut,
        padded,
        settings["seconds"],
    )


def _wanted(clips: list[Clip], recordings: Path, machine: str, sections: list[str]) -> list[Clip]:
    """Return the clips of the run's sections, each of which needs something to learn from and something to score."""
    present = {(clip.section, clip.kind) for clip in clips}
    for section in sections:
        for kind in ("train", "test"):
            if (section, kind) not in present:
                raise AsdError(
                    f"{recordings / kind}: machine {machine} has no {kind} clips of section {section}: "
                    "add recordings, or leave the section out"
                )
    wanted = [clip for clip in clips if clip.section in sections]
    if len(wanted) < len(clips):
        others = ", ".join(sorted({clip.section for clip in clips} - set(sections)))
        _log.warning("%s: %d clips of other sections (%s) left out", recordings, len(clips) - len(wanted), others)
    return wanted


def _batches(clips: list[Clip]) -> list[list[Clip]]:
    """Cut the clips, sorted by kind, into pieces of one kind."""
    pieces: list[list[Clip]] = []
    for clip in clips:
        if not pieces or pieces[-1][0].kind != clip.kind or len(pieces[-1]) == ROWS:
            pieces.append([])
        pieces[-1].append(clip)
    return pieces


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
