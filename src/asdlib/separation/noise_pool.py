"""Background noise: noise clips, or the quietest frames of a machine's own recordings."""

import logging

import numpy as np

from asdlib.data.tables import ClipTable

FRAME = 0.064  # s
QUIET = 0.1  # share of a clip's frames
_log = logging.getLogger(__name__)


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
        pieces.setdefault(file, []).append(row[:samples])
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in pieces.values()]


def noise_clips(machine: ClipTable, others: list[ClipTable]) -> list[np.ndarray]:
    """Return the noise clips of a machine and of others; `others` may include the machine itself."""
    tables = [machine, *(table for table in others if table.path != machine.path)]
    return [samples for table in tables for samples in recordings(table, "noise")]


def noise_pool(machine: ClipTable, others: list[ClipTable]) -> list[np.ndarray]:
    """Return the noise clips of a machine and of others; if there are none, noise estimated from its training clips.

    The estimate is our own, not taken from a report; a warning is logged.
    """
    pool = noise_clips(machine, others)
    if pool:
        return pool
    _log.warning("%s: there are no noise clips: noise is estimated from its quietest frames", machine.path.stem)
    return estimated_noise(machine)


def estimated_noise(table: ClipTable) -> list[np.ndarray]:
    """Return the quietest tenth of each training clip's frames, joined to recordings of about the clips' length."""
    frame = 2 * round(FRAME / 2 * table.recipe["sample_rate"])
    frames = np.concatenate(
        [
            _quietest(row[:samples], frame)
            for clips, audio in table.batches("audio", "train")
            for row, samples in zip(audio, clips.column("samples").to_pylist(), strict=True)
        ]
    )
    # Neighbouring frames overlap by half. They are uncorrelated, so this fade keeps the power: sin² + cos² = 1.
    faded = frames * np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    joined = np.rint(faded[:-1, frame // 2 :] + faded[1:, : frame // 2]).clip(-32768, 32767).astype(np.int16).ravel()
    (length,) = table.tensors["audio"]
    return np.array_split(joined, max(2, round(len(joined) / length)))  # two: one for training, one held out


def _quietest(samples: np.ndarray, frame: int) -> np.ndarray:
    """Return the quietest frames of a recording in their order, (frames, frame); none if it is shorter than a frame."""
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.square(frames, dtype=np.float64).mean(1)
    count = round(QUIET * len(frames)) or min(1, len(frames))
    return frames[np.sort(np.argsort(power, kind="stable")[:count])]
