"""The audio reader: mono int16 samples at the requested rate, or an error that names the file."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from asdlib.data.channels import Channel, channel_number, missing_channel
from asdlib.data.containers import format_of, refuse_damaged
from asdlib.data.mp3_frames import samples_in_frames
from asdlib.errors import AsdError

_FLOATS = ("FLOAT", "DOUBLE")  # may exceed full scale by mistake; what lossy decoders add at peaks is clipped
_MP3_FRAME = 1152  # samples, the most by which the stated length of an MP3 file may be wrong
_MP3_ENDS = 4 * _MP3_FRAME  # samples of frames that are not sound: the encoder's delay and padding, Xing's frame
_BLOCK = 10  # s that are decoded at a time
_LONG = 60  # s; a longer recording is decoded in blocks, because its channels as float64 may not fit into memory
_INT16 = 32768.0
_UNKNOWN = (1 << 63) - 1  # frames: what libsndfile states for a FLAC stream without a length


def read_audio(
    path: Path, sample_rate: int, resample: bool = False, downmix: bool = False, channel: Channel = None
) -> np.ndarray:
    """Return a recording as int16 samples, shape (samples,), in [-32768, 32767].

    16-bit mono files at `sample_rate` (Hz) are returned exactly as recorded. Other sample formats are scaled to 16
    bits. Another rate is converted only with `resample`. Of several channels, `channel` is used if it is given,
    otherwise their mean, only with `downmix`. Raises AsdError if the file is damaged, empty or in a format that these
    settings do not allow.
    """
    with opened(path) as file:
        if file.frames > _LONG * file.samplerate:
            return np.concatenate([*read_pieces(path, _BLOCK * sample_rate, sample_rate, resample, downmix, channel)])
        _refuse_form(path, file, sample_rate, resample, downmix, channel)
        samples = decode(path, file, -1)
        refuse_short(path, file, len(samples))
        mono = _mono(samples, channel)
        if file.samplerate != sample_rate:
            import librosa  # takes a second, and most runs resample nothing

            mono = librosa.resample(_as_float(mono), orig_sr=file.samplerate, target_sr=sample_rate, fix=False)
    converted = _to_int16(mono)
    if channel is None:
        refuse_cancelled(path, converted.any(), any(_to_int16(one).any() for one in samples.T))
    return converted


def read_pieces(
    path: Path,
    length: int,
    sample_rate: int,
    resample: bool = False,
    downmix: bool = False,
    channel: Channel = None,
) -> Iterator[np.ndarray]:
    """Yield the pieces of `length` samples of what `read_audio` returns; the last one may be shorter.

    The recording is decoded block by block, so that memory does not grow with its length.
    """
    heard = kept = False
    rest = np.zeros(0, np.int16)
    with opened(path) as file:
        _refuse_form(path, file, sample_rate, resample, downmix, channel)
        convert, read = _Converter(file.samplerate, sample_rate), 0
        while len(block := decode(path, file, _BLOCK * file.samplerate)):
            read += len(block)
            converted = convert(_mono(block, channel), last=False)
            heard, kept = heard or bool(block.any()), kept or bool(converted.any())
            rest = np.concatenate([rest, converted])
            while len(rest) > length:
                yield rest[:length]
                rest = rest[length:]
        refuse_short(path, file, read)
        rest = np.concatenate([rest, convert(np.zeros(0, np.int16), last=True)])
    if channel is None:
        refuse_cancelled(path, kept or bool(rest.any()), heard)
    for start in range(0, len(rest), length):
        yield rest[start : start + length]


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file that is whole. Raises AsdError if it is not, also for what libsndfile meets while it is open."""
    refuse_damaged(path)
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # it cannot encode a name with bytes outside UTF-8
            if file.frames == _UNKNOWN:
                raise AsdError(f"{path}: does not state its length (written to a pipe?): {_stored_again(path)}")
            yield file
    except soundfile.LibsndfileError as error:
        kind = format_of(path)
        raise AsdError(f"{path}: cannot be read as {kind} ({error.error_string}): replace the file") from error


def _stored_again(path: Path) -> str:
    """Return a remedy for a file whose length cannot be known before it is decoded."""
    command = f"ffmpeg -i {shlex.quote(path.name)} {shlex.quote(f'{path.stem}.wav')}"
    return f"store it again and remove this file: {command}"


def form_problems(
    channels: int, rate: int, sample_rate: int, resample: bool, downmix: bool, channel: Channel
) -> tuple[list[str], list[str]]:
    """Return what is wrong with channels and a rate that the settings do not allow, and the settings that allow them.

    A `channel` that the recording does not have is left to `missing_channel`.
    """
    found, remedies = [], []
    if channels != 1 and channel is None and not downmix:
        found.append(f"has {channels} channels, expected 1")
        remedies.append("downmix: true")
    if rate != sample_rate and not resample:
        found.append(f"is sampled at {rate} Hz, expected {sample_rate}")
        remedies.append("resample: true")
    return found, remedies


def allowing(remedies: list[str]) -> str:
    """Return settings of `prepare` as text that can be pasted into a config, or after --config."""
    return f"prepare.{remedies[0]}" if len(remedies) == 1 else f"prepare: {{{', '.join(remedies)}}}"


def _refuse_form(
    path: Path, file: soundfile.SoundFile, sample_rate: int, resample: bool, downmix: bool, channel: Channel
) -> None:
    """Raise AsdError, with all that is to be changed, for channels or a rate that the settings do not allow."""
    if problem := missing_channel(file.channels, channel):
        raise AsdError(f"{path}: {problem}")
    found, remedies = form_problems(file.channels, file.samplerate, sample_rate, resample, downmix, channel)
    if found:
        raise AsdError(f"{path}: {' and '.join(found)}: convert it, or set {allowing(remedies)}")


def refuse_short(path: Path, file: soundfile.SoundFile, read: int) -> None:
    """Raise AsdError if no sample was read, or not all of an MP3 file, which has no size to compare with."""
    if not read:
        raise AsdError(f"{path}: contains no samples: replace or remove the file")
    if format_of(path) != "MP3":
        return
    if file.frames - read > _MP3_FRAME:
        raise AsdError(f"{path}: is truncated ({file.frames - read} samples short): copy it again")
    if (more := samples_in_frames(path) - read) > _MP3_ENDS:
        raise AsdError(f"{path}: is longer than its beginning says ({more} samples more): {_stored_again(path)}")


def decode(path: Path, file: soundfile.SoundFile, frames: int) -> np.ndarray:
    """Return samples (samples, channels); those of 16-bit files as int16, others as float64 in [-1, 1]."""
    samples = file.read(frames, dtype="int16" if file.subtype == "PCM_16" else "float64", always_2d=True)
    if samples.dtype == np.int16 or not len(samples):
        return samples
    if not np.isfinite(samples).all():
        raise AsdError(f"{path}: contains NaN or infinite samples: replace or remove the file")
    peak = np.abs(samples).max()
    if peak > 1.0 and file.subtype in _FLOATS:
        raise AsdError(f"{path}: exceeds full scale (peak {peak:.6g}, at most 1 fits 16 bits): scale it down")
    return samples


class _Converter:
    """Converts the rate of consecutive blocks of a recording, and returns int16 samples."""

    def __init__(self, rate: int, sample_rate: int):
        self._stream = None
        if rate != sample_rate:
            import soxr  # what librosa resamples with; most runs resample nothing

            self._stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float64", quality="HQ")

    def __call__(self, mono: np.ndarray, last: bool) -> np.ndarray:
        if self._stream is None:
            return _to_int16(mono)
        return _to_int16(self._stream.resample_chunk(_as_float(mono), last))


def as_mono(samples: np.ndarray, channel: Channel) -> np.ndarray:
    """Return what `read_audio` makes of decoded samples (samples, channels) at the rate of the clips."""
    return _to_int16(_mono(samples, channel))


def _mono(samples: np.ndarray, channel: Channel) -> np.ndarray:
    """Return one channel as it is, or the mean of all as float64 in [-1, 1]."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    if channel is not None:
        return samples[:, channel_number(channel)]
    return samples.mean(axis=1, dtype=np.float64) / (_INT16 if samples.dtype == np.int16 else 1.0)


def _as_float(samples: np.ndarray) -> np.ndarray:
    return samples / _INT16 if samples.dtype == np.int16 else samples


def _to_int16(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * _INT16), -_INT16, _INT16 - 1).astype(np.int16)


def refuse_cancelled(path: Path, kept: bool, heard: bool) -> None:
    """Raise AsdError if there was sound in the channels, of which nothing is left in their mean."""
    if heard and not kept:
        raise AsdError(f"{path}: its channels cancel each other when they are averaged: convert it to one of them")
