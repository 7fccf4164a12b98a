"""Background noise: noise clips, or the quietest frames of a machine's own recordings."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from asdlib.data.pieces import recording_of
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError

FRAME = 0.064  # s
QUIET = 0.1  # share of a clip's frames
BANDS = 64  # of the spectra that are compared
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def recordings(table: ClipTable, kind: str) -> list[np.ndarray]:
    """Return a table's recordings of one kind without padding, int16 (samples,); empty if there are none.

    The pieces of a long recording are joined again, because training and held-out data must not share a recording.
    """
    if not len(table.clips(kind)):
        return []
    clips, audio = table.load("audio", kind)
    pieces: dict[str, list[np.ndarray]] = {}
    columns = (clips.column(name).to_pylist() for name in ("source_file", "samples"))
    for row, file, samples in zip(audio, *columns, strict=True):
        pieces.setdefault(recording_of(file), []).append(row[:samples])
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in pieces.values()]


def noise_clips(machine: ClipTable, others: list[ClipTable]) -> list[np.ndarray]:
    """Return the noise clips of a machine and of others; `others` may include the machine itself."""
    tables = [machine, *(table for table in others if table.path != machine.path)]
    return [samples for table in tables for samples in recordings(table, "noise")]


def noise_pool(machine: ClipTable, others: list[ClipTable], estimate: bool = True) -> list[np.ndarray]:
    """Return the noise clips of a machine and of others; if there are none, noise estimated from its training clips.

    The estimate is our own, not taken from a report. A warning says how much it resembles the machine itself. Raises
    AsdError instead if `estimate` is false.
    """
    pool = noise_clips(machine, others)
    if pool:
        return pool
    name = machine.path.stem
    if not estimate:
        raise AsdError(f"{machine.path}: {no_noise(name)}")
    pool = estimated_noise(machine)
    heard = correlation(pool, _training_clips(machine), machine.recipe["sample_rate"])
    _notice.warning(
        "%s: there are no noise clips: noise is estimated from its quietest frames, whose log-mel spectrum has a "
        "correlation of %.3f with that of whole clips: the closer to 1, the more of this noise is the machine itself",
        name,
        heard,
    )
    return pool


def no_noise(machine: str) -> str:
    """Return what is wrong if an augmentation needs noise clips and there are none."""
    return f"noise: there are no noise clips for {machine}: add them, or set a noise_pool"


def estimated_noise(table: ClipTable) -> list[np.ndarray]:
    """Return the quietest tenth of each training clip's frames, joined to recordings of about the clips' length."""
    frame = frame_length(table.recipe["sample_rate"])
    frames = np.concatenate([_quietest(samples, frame) for samples in _training_clips(table)])
    # Neighbouring frames overlap by half. They are uncorrelated, so this fade keeps the power: sin² + cos² = 1.
    faded = frames * np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    joined = np.rint(faded[:-1, frame // 2 :] + faded[1:, : frame // 2]).clip(-32768, 32767).astype(np.int16).ravel()
    (length,) = table.tensors["audio"]
    return np.array_split(joined, max(2, round(len(joined) / length)))  # two: one for training, one held out


def _training_clips(table: ClipTable) -> Iterator[np.ndarray]:
    """Yield a table's training clips without padding, int16 (samples,)."""
    for clips, audio in table.batches("audio", "train"):
        for row, samples in zip(audio, clips.column("samples").to_pylist(), strict=True):
            yield row[:samples]


def frame_length(rate: int) -> int:
    """Return the length of a frame in samples, an even number."""
    return 2 * round(FRAME / 2 * rate)


def correlation(one: Iterable[np.ndarray], other: Iterable[np.ndarray], rate: int) -> float:
    """Return the correlation of the log-mel spectra, averaged over time, of two sets of recordings."""
    return float(np.corrcoef(_log_mel(one, rate), _log_mel(other, rate))[0, 1])


def _log_mel(sounds: Iterable[np.ndarray], rate: int) -> np.ndarray:
    """Return the logarithm of the mean power in each of BANDS bands of equal width in mel."""
    frame = frame_length(rate)
    window = np.hanning(frame)
    power = np.full(frame // 2 + 1, np.finfo(float).tiny)
    for samples in sounds:
        frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
        power += np.square(np.abs(np.fft.rfft(frames * window))).sum(0)
    mel = np.log1p(np.fft.rfftfreq(frame, 1 / rate) / 700)
    band = np.minimum(mel / mel[-1] * BANDS, BANDS - 1).astype(int)[1:]  # without the constant part
    totals, bins = np.bincount(band, power[1:], BANDS), np.bincount(band, minlength=BANDS)
    return np.log(totals[bins > 0] / bins[bins > 0])


def _quietest(samples: np.ndarray, frame: int) -> np.ndarray:
    """Return the quietest frames of a recording in their order, (frames, frame); none if it is shorter than a frame."""
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.square(frames, dtype=np.float64).mean(1)
    count = max(1, round(QUIET * len(frames)))
    return frames[np.sort(np.argsort(power, kind="stable")[:count])]
