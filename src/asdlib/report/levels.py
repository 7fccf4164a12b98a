"""The level of clips over time and frequency, and how it differs from that of other clips."""

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.report.bands import PARTS
from asdlib.report.cells import COLUMNS, ROWS, means_of_frames
from asdlib.report.sounds import scaled, spectrum, window_of

# Relative to full scale, about the rounding noise of 16 bits: levels below it count as equal, also in a separated view
# that is stored more finely.
FLOOR = 1e-13
LEAST = 0.1  # dB: the smallest unit, so that training clips that do not differ give finite numbers
LARGEST = 99.0  # times the usual difference: no larger one is stated, for example of digital silence


@dataclass(frozen=True)
class Levels:
    """The level of a clip in dB.

    `cells` (ROWS, columns) are those of a picture: bands of equal width in Hz, the lowest first, over time. `parts`
    (PARTS,) are the means over time of bands of equal width in mel, whose limits in Hz `mel_edges` returns.
    """

    cells: np.ndarray
    parts: np.ndarray
    seconds: float
    rate: int


def levels_of(wave: np.ndarray, rate: int, length: int) -> Levels | None:
    """Return the levels of a clip (samples,) in [-1, 1], or None if it is shorter than a window.

    `length` is the number of samples that fill a picture. A shorter clip has fewer columns, so that the cells of all
    clips are means of as many frames, and vary by chance as much.
    """
    size = window_of(rate)
    if len(wave) < size:
        return None
    power = spectrum(wave, rate) / np.hanning(size).sum() ** 2
    rows, parts = _levels(power, np.linspace(0, 1, ROWS + 1)), _levels(power, mel_edges(rate) / (rate / 2))
    columns = max(1, COLUMNS * len(wave) // length)
    return Levels(means_of_frames(rows.T, columns).T, parts.mean(axis=1), len(wave) / rate, rate)


def _levels(power: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the level in dB (bands, frames) of the mean power between edges, in shares of the highest frequency."""
    starts = (edges[:-1] * len(power)).astype(int)
    sums = np.add.reduceat(power, starts, axis=0)
    return 10 * np.log10(np.maximum(sums / np.diff(starts, append=len(power)).clip(min=1)[:, None], FLOOR))


def mel_edges(rate: int) -> np.ndarray:
    """Return the edges in Hz, (PARTS + 1,), of `PARTS` bands of equal width in mel (O'Shaughnessy)."""
    return 700 * np.expm1(np.linspace(0, np.log1p(rate / 2 / 700), PARTS + 1))


def training_levels(path: Path, files: Container[str]) -> dict[str, Levels]:
    """Return {file: levels} of those training clips of an audio table that are in `files`; too short ones are left out.

    One row group of the table at a time is in memory.
    """
    table = ClipTable(path)
    (length,) = table.tensors["audio"]
    rate, found = table.recipe["sample_rate"], {}
    for clips, audio in table.batches("audio", "train"):
        for row, clip in enumerate(clips.select(["source_file", "samples"]).to_pylist()):
            if clip["source_file"] in files:
                levels = levels_of(scaled(audio[row, : clip["samples"]]), rate, length)
                if levels:
                    found[clip["source_file"]] = levels
    return found


def difference(clip: Levels, others: list[Levels]) -> Levels:
    """Return the levels of a clip minus the mean over time and over some other clips, in dB."""
    usual = np.mean([other.cells.mean(axis=1, keepdims=True) for other in others], axis=0)
    parts = np.mean([other.parts for other in others], axis=0)
    return replace(clip, cells=clip.cells - usual, parts=clip.parts - parts)


def in_units_of(apart: Levels, usual: list[Levels]) -> Levels:
    """Return a difference divided by the root mean square of other ones, separately for each row and part.

    The result is limited to `LARGEST`.
    """
    cells = np.sqrt(np.mean(np.square(np.concatenate([one.cells for one in usual], axis=1)), axis=1, keepdims=True))
    parts = np.sqrt(np.mean(np.square([one.parts for one in usual]), axis=0))
    pairs = [(apart.cells, cells), (apart.parts, parts)]
    cells, parts = ((values / np.maximum(unit, LEAST)).clip(-LARGEST, LARGEST) for values, unit in pairs)
    return replace(apart, cells=cells, parts=parts)
