"""The augmentation `remix`: separated machine sound mixed with other noise."""

import hashlib
import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from asdlib.augmentations.made_clips import made_clips
from asdlib.data.tables import ROWS, ClipTable
from asdlib.errors import AsdError
from asdlib.separation.mixing import FULL_SCALE, PEAK, QUIETEST_NOISE, draw_crop, noise_gain, rms
from asdlib.separation.noise_pool import noise_pool
from asdlib.separation.settings import check_snr

_log = logging.getLogger(__name__)


class Remix:
    """Mixtures of separated training clips with crops of the noise pool at a random SNR, at the recording's level.

    `snr` gives the lowest and highest SNR in dB. `count` clips are made per machine or, if it is None, `per_clip` per
    training clip. A share `target_share` of them is made from clips of the target domain (0.2: source:target = 4:1);
    None ignores the domains. Within a domain, the numbers of copies per clip differ by at most one. Without a separator
    the recordings themselves are used as the machine's sound. Without noise clips, noise is estimated from the quietest
    frames of the recordings, which are mostly the machine itself; with `estimate: false` this is an error. A separated
    clip that is silent would make a silent example of the machine: its recording is used, with a warning.
    """

    def __init__(
        self,
        snr: list[float],
        seed: int,
        count: int | None = None,
        per_clip: int = 1,
        target_share: float | None = None,
        estimate: bool = True,
    ):
        check_snr(snr, "augmentation remix: snr")
        if target_share is not None and not 0 <= target_share <= 1:
            raise AsdError(f"augmentation remix: target_share: {target_share}: give a share from 0 to 1")
        self.snr = snr
        self.seed = seed
        self.count = count
        self.per_clip = per_clip
        self.target_share = target_share
        self.estimate = estimate

    def augment(
        self, raw: ClipTable, separated: ClipTable | None, noise: list[ClipTable]
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield the mixed clips with their int16 audio (n, samples), padded with zeros as their recordings are."""
        clips = noise_pool(raw, noise, self.estimate)
        pool = [samples for samples in clips if len(samples) and rms(samples) > QUIETEST_NOISE * FULL_SCALE]
        if not pool:
            raise AsdError("augmentation remix: all noise clips are digital silence: replace them")
        sounds = self._machine_sounds(raw, separated)
        copies = iter(self.copies(raw.clips("train").column("domain").to_pylist(), raw.path.stem))
        silent = 0
        for (clips, recorded), (_, machine) in zip(raw.batches("audio", "train"), sounds, strict=True):
            machine, unheard = _audible(machine, recorded)
            silent += unheard
            made = [(row, number) for row in range(len(clips)) for number in range(next(copies))]
            for start in range(0, len(made), ROWS):
                yield self._mixed(clips, recorded, machine, pool, made[start : start + ROWS])
        if silent:
            _log.warning("%s: %d separated clips are silent: their recordings are mixed", raw.path.stem, silent)

    def copies(self, domains: list[str | None], machine: str) -> list[int]:
        """Return the number of clips to make from each training clip; a remainder is distributed at random."""
        rng = np.random.default_rng(self.seed)
        total = len(domains) * self.per_clip if self.count is None else self.count
        target = np.array([domain == "target" for domain in domains])
        if self.target_share is None:
            return _spread(total, len(target), rng).tolist()
        if target.all() or not target.any():
            _log.warning("%s: has clips of one domain only: target_share has no effect", machine)
            return _spread(total, len(target), rng).tolist()
        wanted = round(total * self.target_share)
        copies = np.empty(len(target), int)
        copies[target] = _spread(wanted, int(target.sum()), rng)
        copies[~target] = _spread(total - wanted, int((~target).sum()), rng)
        return copies.tolist()

    def _machine_sounds(self, raw: ClipTable, separated: ClipTable | None) -> Iterator[tuple[pa.Table, np.ndarray]]:
        if separated is None or not separated.notes.get("separated", True):
            _log.info("%s: is not separated: noise is added to its recordings as they are", raw.path.stem)
            return raw.batches("audio", "train")
        return separated.batches("audio", "train")

    def _mixed(
        self,
        clips: pa.Table,
        recorded: np.ndarray,
        machine: np.ndarray,
        pool: list[np.ndarray],
        made: list[tuple[int, int]],
    ) -> tuple[pa.Table, np.ndarray]:
        """Return the clips listed in `made` as (row, number of the copy)."""
        audio = np.zeros((len(made), recorded.shape[1]), np.int16)
        given = clips.select(["clip", "samples", "source_file"]).to_pylist()
        for mixed, (row, number) in zip(audio, made, strict=True):
            samples = given[row]["samples"]
            rng = np.random.default_rng([self.seed, _number(f"{given[row]['source_file']} {number}")])
            mixed[:samples] = self._mix(recorded[row, :samples], machine[row, :samples], pool, rng)
        names = [f"{given[row]['clip']}_remix_{number:04d}" for row, number in made]
        return made_clips(clips, [row for row, _ in made], names), audio

    def _mix(
        self, recorded: np.ndarray, machine: np.ndarray, pool: list[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Return one clip's machine sound mixed with noise, at the level of its recording; all int16 (samples,)."""
        noise = draw_crop(pool[rng.integers(len(pool))], len(machine), QUIETEST_NOISE, False, rng)
        machine = machine / FULL_SCALE
        mixed = machine + noise * noise_gain(machine, noise, rng.uniform(*self.snr))
        mixed *= rms(recorded) / FULL_SCALE / max(rms(mixed), QUIETEST_NOISE)
        mixed *= PEAK / max(PEAK, np.abs(mixed).max())
        return np.rint(mixed * FULL_SCALE).astype(np.int16)


def _audible(machine: np.ndarray, recorded: np.ndarray) -> tuple[np.ndarray, int]:
    """Return machine sounds (n, samples) with the recordings in place of silent ones, and the number of these."""
    silent = recorded.any(axis=1) & ~machine.any(axis=1)
    return np.where(silent[:, None], recorded, machine), int(silent.sum())


def _spread(total: int, clips: int, rng: np.random.Generator) -> np.ndarray:
    """Return `total` distributed evenly over `clips` clips; the remainder goes to clips drawn at random."""
    copies = np.full(clips, total // clips)
    copies[rng.permutation(clips)[: total % clips]] += 1
    return copies


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
