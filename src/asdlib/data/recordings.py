"""The WAV reader: mono int16 samples at the requested rate, or an error that names the file."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from asdlib.data.listing import refuse_special
from asdlib.errors import AsdError

# Programs that write to a pipe do not know the size and state one close to 2 or 4 GiB instead: ffmpeg 0xFFFFFFFF, SoX
# 0x7FFFF000 (less for odd frames), arecord 0x7FFFFF00 or 0x80000000.
_UNKNOWN_SIZES = (1 << 31, 1 << 32)
_CLOSE = 1 << 16


def read_wav(path: Path, sample_rate: int, resample: bool = False, downmix: bool = False) -> np.ndarray:
    """Return a recording as int16 samples, shape (samples,), in [-32768, 32767].

    16-bit mono files at `sample_rate` (Hz) are returned exactly as recorded. Other sample formats are scaled to 16
    bits. Another rate is converted only with `resample`, several channels only with `downmix`. Raise AsdError if the
    file is damaged, empty, not a WAV file or in a format that these settings do not allow.
    """
    _refuse_damaged(path)
    samples, rate = _decode(path)
    if samples.shape[1] != 1 and not downmix:
        raise AsdError(f"{path}: has {samples.shape[1]} channels, expected 1: convert it, or set prepare.downmix: true")
    if rate != sample_rate and not resample:
        raise AsdError(
            f"{path}: is sampled at {rate} Hz, expected {sample_rate}: convert it, or set prepare.resample: true"
        )
    converted = _to_int16(_convert(samples, rate, sample_rate))
    if not converted.any() and any(_to_int16(channel).any() for channel in samples.T):
        raise AsdError(f"{path}: its channels cancel each other when they are averaged: convert it to one of them")
    return converted


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Return samples (samples, channels) and the rate in Hz; 16-bit files as int16, others as float64 in [-1, 1]."""
    name = os.fsencode(path)  # soundfile cannot encode a name with bytes outside UTF-8
    try:
        dtype = "int16" if soundfile.info(name).subtype == "PCM_16" else "float64"
        samples, rate = soundfile.read(name, dtype=dtype, always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AsdError(f"{path}: cannot be read as WAV ({error.error_string}): replace the file") from error
    if not len(samples):
        raise AsdError(f"{path}: contains no samples: replace or remove the file")
    if dtype == "int16":
        return samples, rate
    if not np.isfinite(samples).all():
        raise AsdError(f"{path}: contains NaN or infinite samples: replace or remove the file")
    peak = np.abs(samples).max()
    if peak > 1.0:
        raise AsdError(f"{path}: exceeds full scale (peak {peak:.6g}, at most 1 fits 16 bits): scale it down")
    return samples, rate


def _convert(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Return the channels' mean, resampled; samples that need neither are returned unchanged."""
    if samples.shape[1] == 1 and rate == sample_rate:
        return samples[:, 0]
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    mono = samples.mean(axis=1, dtype=np.float64) / scale
    if rate == sample_rate:
        return mono
    import librosa  # takes a second, and most runs resample nothing

    return librosa.resample(mono, orig_sr=rate, target_sr=sample_rate, fix=False)


def _to_int16(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def _refuse_damaged(path: Path) -> None:
    """Raise AsdError if the file is not as long as its header states.

    Decoders return what is there, or what the header states, without an error. Chunks of odd length are padded by one
    byte.
    """
    refuse_special(path)
    try:
        with path.open("rb") as handle:
            _refuse_other_formats(path, handle.read(12))
            while len(header := handle.read(8)) == 8:
                name, length = struct.unpack("<4sI", header)
                if name == b"data":
                    return _refuse_wrong_size(path, handle, length)
                handle.seek(length + length % 2, os.SEEK_CUR)
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    raise AsdError(f"{path}: is truncated (no audio data): copy or download it again")


def _refuse_wrong_size(path: Path, handle: BinaryIO, length: int) -> None:
    """Raise AsdError unless the audio data, at which `handle` stands, has `length` bytes, or its size is unknown."""
    rest = path.stat().st_size - handle.tell()
    if any(abs(length - size) <= _CLOSE for size in _UNKNOWN_SIZES):
        return
    if rest < length:
        raise AsdError(f"{path}: is truncated ({length - rest} bytes short): copy or download it again")
    handle.seek(length, os.SEEK_CUR)
    if not _are_chunks(handle.read(), length % 2):
        raise AsdError(
            f"{path}: its header states {length} bytes of audio, but {rest} follow: copy or download it again, or "
            "repair it (sox --ignore-length)"
        )


def _are_chunks(rest: bytes, padding: int) -> bool:
    """Return whether what follows the audio is other chunks: no more audio, and nothing that is cut."""
    start = padding
    while start < len(rest):
        name, length = struct.unpack("<4sI", rest[start : start + 8].ljust(8, b"\xff"))
        start += 8 + length
        if name == b"data" or not (name.isascii() and name.decode().isprintable()) or start > len(rest):
            return False
        start += length % 2
    return True


def _refuse_other_formats(path: Path, start: bytes) -> None:
    if not start:
        raise AsdError(f"{path}: is empty: replace or remove the file")
    if start[:4] in (b"RF64", b"RIFX") and start[8:] == b"WAVE":
        raise AsdError(f"{path}: is a WAV file of type {start[:4].decode()}: convert it to plain RIFF WAV")
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise AsdError(f"{path}: is not a WAV file: replace or remove it")
