"""The WAV reader: mono int16 samples at the requested rate, or an error that names the file."""

import os
import struct
from pathlib import Path

import numpy as np
import soundfile

from asdlib.errors import AsdError


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
    return _to_int16(_convert(samples, rate, sample_rate))


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Return samples (samples, channels) and the rate in Hz; 16-bit files as int16, others as float64 in [-1, 1]."""
    try:
        dtype = "int16" if soundfile.info(path).subtype == "PCM_16" else "float64"
        samples, rate = soundfile.read(path, dtype=dtype, always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AsdError(f"{path}: cannot be read as WAV ({error}): replace the file") from error
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
    """Raise AsdError if the file is shorter than its header states.

    Decoders return what is there without an error. Chunks of odd length are padded by one byte.
    """
    try:
        with path.open("rb") as handle:
            _refuse_other_formats(path, handle.read(12))
            while len(header := handle.read(8)) == 8:
                name, length = struct.unpack("<4sI", header)
                missing = handle.tell() + length - path.stat().st_size
                if name != b"data":
                    handle.seek(length + length % 2, os.SEEK_CUR)
                elif missing > 0:
                    raise AsdError(f"{path}: is truncated ({missing} bytes short): copy or download it again")
                else:
                    return
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    raise AsdError(f"{path}: is truncated (no audio data): copy or download it again")


def _refuse_other_formats(path: Path, start: bytes) -> None:
    if not start:
        raise AsdError(f"{path}: is empty: replace or remove the file")
    if start[:4] in (b"RF64", b"RIFX") and start[8:] == b"WAVE":
        raise AsdError(f"{path}: is a WAV file of type {start[:4].decode()}: convert it to plain RIFF WAV")
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise AsdError(f"{path}: is not a WAV file: replace or remove it")
