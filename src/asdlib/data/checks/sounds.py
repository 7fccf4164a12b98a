"""What is measured of recordings: the header and a short piece of every file, the level of some or of all."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile

from asdlib.data.channels import Channel, channel_number
from asdlib.data.checks.problem import Problem, grouped
from asdlib.data.clip import Clip
from asdlib.data.clip_format import ClipFormat, prepared_samples
from asdlib.data.recordings import as_mono, decode, opened, refuse_cancelled, refuse_short
from asdlib.errors import AsdError

HEARD = 200  # recordings of a machine whose level is measured, evenly spread, unless all are asked for
HEARD_SECONDS = 60.0  # of each
HIGHEST = 32767 / 32768  # the largest value of 16 bits
MARK = 2048  # samples in the middle of a recording, by which others that may be the same sound are found


@dataclass(frozen=True)
class Level:
    """The level of a recording, or of its first HEARD_SECONDS."""

    rms: float  # of full scale, as is the peak
    peak: float
    clipped: float  # the share of the samples that are at full scale
    pause: float | None  # where the first clip's length of digital silence begins, in s

    @property
    def dbfs(self) -> float:
        """The RMS in dB of full scale; -inf for digital silence."""
        return decibels(self.rms)


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording with what its header says; its `level` is None if it was not measured."""

    clip: Clip
    channels: int
    rate: int
    samples: int  # at its own rate
    mark: bytes  # equal for recordings that may be the same sound
    level: Level | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.clip.path

    @property
    def seconds(self) -> float:
        """The length in s."""
        return self.samples / self.rate

    def made(self, wanted: ClipFormat) -> int:
        """Return how many clips `prepare` makes of it."""
        return wanted.pieces(prepared_samples(self.samples, self.rate, wanted))


def decibels(value: float) -> float:
    """Return a share of full scale in dB."""
    return float(20 * np.log10(value)) if value else -np.inf


def measure(clips: Sequence[Clip], wanted: ClipFormat, everything: bool = False) -> tuple[list[Sound], list[Problem]]:
    """Return the recordings of a machine that can be read, and what is wrong with the others."""
    heard = {id(clip) for clip in (clips if everything else _spread(clips))}
    sounds, failed = [], []
    for clip in clips:
        try:
            sound = _header(clip)
            if id(clip) in heard:
                sound = replace(sound, level=_level(clip.path, wanted, everything))
            sounds.append(sound)
        except AsdError as error:
            failed.append((clip.path, str(error)))
    return sounds, grouped(failed)


def same_sounds(sounds: Sequence[Sound]) -> list[list[Sound]]:
    """Return the groups of recordings whose samples are equal, whatever their formats are."""
    return [group for alike in _by(sounds, lambda one: one.mark) for group in _by(alike, _content)]


def _by(sounds: Sequence[Sound], key: Callable[[Sound], bytes]) -> Iterator[list[Sound]]:
    groups = defaultdict(list)
    for sound in sounds:
        groups[key(sound)].append(sound)
    yield from (group for group in groups.values() if len(group) > 1)


def _spread(clips: Sequence[Clip]) -> list[Clip]:
    """Return at most HEARD of the clips, at equal distances."""
    chosen = np.linspace(0, len(clips) - 1, min(HEARD, len(clips))).round().astype(int)
    return [clips[index] for index in chosen]


def _header(clip: Clip) -> Sound:
    with opened(clip.path) as file:
        if not file.frames:
            refuse_short(clip.path, file, 0)
        return Sound(clip, file.channels, file.samplerate, file.frames, _mark(file))


def _mark(file: soundfile.SoundFile) -> bytes:
    form = f"{file.channels} {file.samplerate} {file.frames}".encode()
    try:
        file.seek(max(0, (file.frames - MARK) // 2))
        middle = file.read(MARK, dtype="float32").tobytes()
    except soundfile.LibsndfileError:  # not every stream can be entered in the middle; it is compared as a whole
        middle = b""
    return sha256(form + middle).digest()


def _content(sound: Sound) -> bytes:
    """Return a digest of all samples; one of the path if they cannot be read to the end, which is the same as none."""
    digest = sha256()
    try:
        with opened(sound.path) as file:
            for block in file.blocks(MARK * 64, dtype="float32"):
                digest.update(block.tobytes())
    except AsdError:  # reported by `measure`, if the level of this recording is measured
        return os.fsencode(sound.path)
    return digest.digest()


def _level(path: Path, wanted: ClipFormat, everything: bool) -> Level:
    """Return the level of a recording, read in blocks of a clip's length. Raises AsdError as `prepare` would."""
    square = peak = 0.0
    full = count = read = silent = 0
    pause, kept = None, wanted.channel is not None or not wanted.downmix
    with opened(path) as file:
        length = max(1, round(wanted.seconds * file.samplerate))
        most = np.inf if everything else HEARD_SECONDS * file.samplerate
        while read < most and len(block := decode(path, file, length)):
            values = np.abs(_used(block, wanted.channel).astype(np.float64) / (32768 if block.dtype == np.int16 else 1))
            kept = kept or bool(as_mono(block, None).any())
            if pause is None and len(values) == length and not values.any():
                pause = read / file.samplerate
            silent = _silence_at_end(values, silent)
            read, count = read + len(block), count + values.size
            square, peak = square + float(np.square(values).sum()), max(peak, float(values.max()))
            full += int((values >= HIGHEST).sum())
        if read < most:
            refuse_short(path, file, read)
            refuse_cancelled(path, kept, bool(peak))
            made = prepared_samples(read, file.samplerate, wanted)
            if pause is None and silent >= length and wanted.pieces(made) * wanted.samples > made:
                pause = (read - length) / file.samplerate  # of the last clip, which begins earlier to be whole
    return Level((square / count) ** 0.5, peak, full / count, pause)


def _silence_at_end(values: np.ndarray, before: int) -> int:
    """Return how many samples are zero at the end of a block (samples, channels), after `before` of earlier blocks."""
    sounding = np.flatnonzero(values.any(axis=1))
    return len(values) - 1 - int(sounding[-1]) if len(sounding) else before + len(values)


def _used(block: np.ndarray, channel: Channel) -> np.ndarray:
    """Return the channel that a run uses, or all."""
    number = channel_number(channel)
    return block[:, [number]] if number is not None and number < block.shape[1] > 1 else block
