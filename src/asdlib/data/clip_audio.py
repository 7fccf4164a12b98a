"""The conversion of recordings into a table of clips of equal length."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from asdlib.data.clip import Clip
from asdlib.data.clip_format import REFUSE, SPLIT, ClipFormat
from asdlib.data.listing import encodable
from asdlib.data.pieces import MISLEADING, recording_of
from asdlib.data.recordings import read_audio, read_pieces
from asdlib.data.tables import ROWS, clip_rows, writing
from asdlib.errors import AsdError


@dataclass(frozen=True)
class Written:
    """What was written: the number of clips of each recording, and of clips that were cut or padded."""

    pieces: list[int]
    cut: int
    padded: int

    @property
    def clips(self) -> int:
        """The number of clips."""
        return sum(self.pieces)


def write_audio(clips: Sequence[Clip], out: Path, recipe: dict[str, Any], wanted: ClipFormat) -> Written:
    """Write `out`: int16 audio in the wanted format and each clip's metadata; the file's header holds `recipe`.

    `clips` must be grouped by kind. Shorter recordings are padded with zeros at the end; longer ones are cut at the
    end, refused, or split into several clips, as the format says. The columns `samples` (real samples kept) and
    `recorded_samples` show which; both count samples at the format's rate.

    Raises AsdError if a recording cannot be read in this format.
    """
    pieces: Counter[int] = Counter()
    cut = padded = 0
    with writing(out, recipe, audio=("int16", (wanted.samples,))) as table:
        for _, same in groupby(_numbered(clips, wanted), key=lambda entry: entry[1].kind):
            while batch := list(islice(same, ROWS)):
                audio = np.zeros((len(batch), wanted.samples), np.int16)
                rows = []
                for row, (number, clip, samples) in zip(audio, batch, strict=True):
                    pieces[number] += 1
                    cut += len(samples) > wanted.samples
                    padded += len(samples) < wanted.samples
                    kept = min(len(samples), wanted.samples)
                    row[:kept] = samples[:kept]
                    rows.append(_row(clip, kept, len(samples)))
                table.write(clip_rows(rows), audio=audio)
    return Written([pieces[number] for number in range(len(clips))], cut, padded)


def _numbered(clips: Sequence[Clip], wanted: ClipFormat) -> Iterator[tuple[int, Clip, np.ndarray]]:
    """Yield (number of the recording, clip, its samples)."""
    for number, recording in enumerate(clips):
        if wanted.longer == SPLIT:
            yield from ((number, *piece) for piece in split(recording, wanted))
        else:
            yield number, recording, read_clip(recording, wanted)


def split(clip: Clip, wanted: ClipFormat) -> Iterator[tuple[Clip, np.ndarray]]:
    """Yield the clips of a recording, and their samples; one that is not longer than a clip stays as it is.

    The last clip begins earlier, so that it is whole and nothing is lost; less than a clip's shortest length is left
    out. Their names have the offset in seconds: `rec@00010.000.wav`.
    """
    found = read_pieces(clip.path, wanted.samples, wanted.sample_rate, wanted.resample, wanted.downmix, wanted.channel)
    first, second = next(found), next(found, None)
    if second is None:
        if recording_of(clip.source_file) != clip.source_file:
            raise AsdError(f"{clip.path}: {MISLEADING}: rename it")
        yield clip, _checked(clip, first, wanted)
        return
    before, start = first, wanted.samples
    yield _piece(clip, 0, wanted), _checked(clip, first, wanted)
    for piece in chain([second], found):
        if len(piece) < wanted.shortest:
            return
        start += len(piece) - wanted.samples
        before = np.concatenate([before, piece])[-wanted.samples :]
        yield _piece(clip, start, wanted), _checked(clip, before, wanted, start)
        start += wanted.samples


def _piece(clip: Clip, start: int, wanted: ClipFormat) -> Clip:
    """Return a clip that begins at a sample of a recording."""
    folder, _, name = clip.source_file.rpartition("/")
    path = PurePosixPath(name)
    return replace(clip, source_file=f"{folder}/{path.stem}@{start / wanted.sample_rate:09.3f}{path.suffix}")


def read_clip(clip: Clip, wanted: ClipFormat) -> np.ndarray:
    """Return a clip's samples as `read_recording` does; a training or test clip too short for a model is refused.

    One that is longer than a clip is refused if the format says so.
    """
    return _checked(clip, read_recording(clip.path, wanted), wanted)


def _checked(clip: Clip, samples: np.ndarray, wanted: ClipFormat, start: int = 0) -> np.ndarray:
    if clip.split != "supplemental" and len(samples) < wanted.shortest:
        given, least = len(samples) / wanted.sample_rate, wanted.shortest / wanted.sample_rate
        raise AsdError(f"{clip.path}: lasts {given:.3g} s, a clip needs {least:.3g} s: replace or remove it")
    if wanted.longer == REFUSE and len(samples) > wanted.samples:
        given = len(samples) / wanted.sample_rate
        raise AsdError(
            f"{clip.path}: lasts {given:.6g} s, a clip {wanted.seconds:.6g} s: set prepare.longer: split or cut, or "
            "prepare.seconds"
        )
    if wanted.longer == SPLIT and not wanted.allow_silent and not samples.any():
        where = f"{clip.path}: is digital silence from {start / wanted.sample_rate:.6g} s on, for a whole clip"
        raise AsdError(f"{where}: cut it out, or set prepare.allow_silent: true")
    return samples


def read_recording(path: Path, wanted: ClipFormat) -> np.ndarray:
    """Return a recording's samples, int16 (samples,), at the format's rate; digital silence is refused by default."""
    samples = read_audio(path, wanted.sample_rate, wanted.resample, wanted.downmix, wanted.channel)
    if not wanted.allow_silent and not samples.any():
        raise AsdError(f"{path}: is digital silence: replace or remove it, or set prepare.allow_silent: true")
    return samples


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
