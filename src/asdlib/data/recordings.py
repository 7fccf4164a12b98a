"""Reading WAV files, suspiciously: what comes back is mono int16 at the asked rate, or an error that names the file."""

import struct
from pathlib import Path

import numpy as np
import soundfile

from asdlib.errors import AsdError


def read_wav(path: Path, sample_rate: int, resample: bool = False, downmix: bool = False) -> np.ndarray:
    """Read a recording as int16 samples, shape (samples,), in [-32768, 32767].

    16-bit mono files at `sample_rate` (Hz) come back exactly as recorded. Other sample formats are scaled to 16 bits;
    other rates and channel counts are converted only if `resample` or `downmix` allow it.
    """
    _refuse_truncated(path)
    try:
        samples, rate = soundfile.read(path, dtype="int16" if _is_pcm16(path) else "float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AsdError(f"{path}: cannot be read as WAV ({error}): replace the file") from error
    if not len(samples):
        raise AsdError(f"{path}: holds no samples: replace or remove the file")
    if samples.dtype != np.int16 and not np.isfinite(samples).all():
        raise AsdError(f"{path}: holds NaN or infinite samples: replace or remove the file")
    if samples.shape[1] != 1 and not downmix:
        raise AsdError(f"{path}: has {samples.shape[1]} channels, expected 1: convert it, or set prepare.downmix: true")
    if rate != sample_rate and not resample:
        raise AsdError(
            f"{path}: is sampled at {rate} Hz, expected {sample_rate}: convert it, or set prepare.resample: true"
        )
    return _to_int16(_convert(samples, rate, sample_rate))


def _is_pcm16(path: Path) -> bool:
    return soundfile.info(path).subtype == "PCM_16"


def _convert(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Average the channels and resample; samples that need neither stay untouched."""
    if samples.shape[1] == 1 and rate == sample_rate:
        return samples[:, 0]
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    mono = samples.mean(axis=1, dtype=np.float64) / scale
    if rate == sample_rate:
        return mono
    import soxr

    return soxr.resample(mono, rate, sample_rate)


def _to_int16(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def _refuse_truncated(path: Path) -> None:
    """Compare the length that the header promises with the file's: decoders return what is there and say nothing."""
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            if size == 0:
                raise AsdError(f"{path}: is empty: replace or remove the file")
            riff = handle.read(12)
            if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
                raise AsdError(f"{path}: is not a WAV file: replace or remove it")
            while len(header := handle.read(8)) == 8:
                name, length = struct.unpack("<4sI", header)
                end = handle.tell() + length
                if name == b"data":
                    if end > size:
                        raise AsdError(f"{path}: is truncated ({end - size} bytes short): copy or download it again")
                    return
                handle.seek(end + length % 2)
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    raise AsdError(f"{path}: is truncated (no audio data): copy or download it again")
