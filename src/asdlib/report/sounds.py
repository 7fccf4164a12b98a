"""The sounds and spectrograms of clips, as recorded and as separated."""

import io
from pathlib import Path

import numpy as np
import soundfile

from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.report.images import Picture, data_address, heat
from asdlib.report.settings import MP3_RATES
from asdlib.workflow.words import RAW

PEAK = 0.9  # of full scale, after amplification: many recordings are too soft for the speaker of a telephone
RANGE = 70.0  # dB below the recording's loudest point that a spectrogram shows
COLUMNS, ROWS = 320, 128  # pixels of a spectrogram
Waves = dict[str, np.ndarray]  # {view: samples (time,) as stored, which takes least memory}, the recording under RAW


def read_clips(paths: dict[str, Path], names: set[str]) -> dict[str, Waves]:
    """Return {file name: {view: samples}} of test clips without padding, as the audio tables `paths` by view have them.

    A view that is equal to the recording (a machine without a separator) is left out. Raises AsdError if a clip is
    missing.
    """
    found: dict[str, Waves] = {name: {} for name in names}
    for view, path in paths.items():
        for clips, audio in ClipTable(path).batches("audio", "test"):
            for row, clip in enumerate(clips.select(["source_file", "samples"]).to_pylist()):
                name = clip["source_file"].rpartition("/")[2]
                if name in found:
                    found[name][view] = audio[row, : clip["samples"]].copy()  # without the row group
    for name, waves in found.items():
        if RAW not in waves:
            raise AsdError(f"{paths[RAW]}: has no test clip {name}: delete the system's clips.csv and run again")
        for view in [view for view in waves if view != RAW and np.array_equal(waves[view], waves[RAW])]:
            del waves[view]
    return found


def scaled(stored: np.ndarray) -> np.ndarray:
    """Return stored samples, in units of the last of 16 bits, as float32 in [-1, 1]."""
    return stored.astype(np.float32) / 32768


def sounds_of(waves: Waves, rate: int) -> list[dict]:
    """Return the encoded sound, the spectrogram and the amplification in dB of every view.

    All views are amplified by the same factor, that of the recording, so that one can hear what separation removes.
    """
    waves = {view: scaled(stored) for view, stored in waves.items()}
    loudest = float(np.abs(waves[RAW]).max())
    factor = PEAK / loudest if loudest else 1.0
    reference = float(spectrum(waves[RAW], rate).max()) or 1.0
    return [
        {
            "view": view,
            "sound": encode(np.clip(wave * factor, -1, 1), rate),
            "picture": spectrogram(wave, rate, reference, view),
            "gain": 20 * float(np.log10(factor)),
            "seconds": len(wave) / rate,
            "kilohertz": rate / 2000,
        }
        for view, wave in waves.items()
    ]


def encode(wave: np.ndarray, rate: int) -> str:
    """Return samples (time,) in [-1, 1] as a data URL: MP3, or FLAC if MP3 does not support the sampling rate."""
    kind, mime = ("MP3", "audio/mpeg") if rate in MP3_RATES else ("FLAC", "audio/flac")
    settings = {"bitrate_mode": "VARIABLE", "compression_level": 0.7} if kind == "MP3" else {"subtype": "PCM_16"}
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, **settings)
    return data_address(mime, buffer.getvalue())


def spectrogram(wave: np.ndarray, rate: int, reference: float, view: str) -> Picture:
    """Return a picture of the power in dB relative to `reference`, with linear frequency upwards."""
    power = spectrum(wave, rate)
    level = 10 * np.log10(np.maximum(power, 1e-12) / reference)
    shown = _maxima(_maxima(level, ROWS, axis=0), COLUMNS, axis=1)
    strongest = rate / 2 * float(power.mean(axis=1).argmax()) / max(len(power) - 1, 1)
    alt = (
        f"Spectrogram ({view}), {len(wave) / rate:.1f} s, 0 to {rate / 2000:g} kHz; strongest near {strongest:.0f} Hz."
    )
    return heat(np.clip(1 + shown / RANGE, 0, 1), alt)


def spectrum(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the power spectrogram, (frequencies, frames), with Hann windows of at most 64 ms that overlap by half."""
    size = min(window_of(rate), len(wave))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: max(size // 2, 1)]  # (frames, size)
    return np.abs(np.fft.rfft(frames * np.hanning(size))).T ** 2


def window_of(rate: int) -> int:
    """Return the length of a window in samples at a sampling rate in Hz."""
    return round(0.064 * rate)


def _maxima(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Return at most `count` values along an axis, each the maximum of a range."""
    if values.shape[axis] <= count:
        return values
    starts = np.linspace(0, values.shape[axis], count, endpoint=False).astype(int)
    return np.maximum.reduceat(values, starts, axis=axis)
