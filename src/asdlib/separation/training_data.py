"""The choice of a separator's training data by the supplements that a machine has. Test clips are never read.

| the machine has    | mixture                    | sources         |
|--------------------|----------------------------|-----------------|
| clean clips        | clean + noise of the pool  | clean, noise    |
| noise clips only   | recording + its own noise  | recording, noise: if `noise_only: noisy_target` |
| neither            | recording + pool           | recording, noise: if `noise_only: noisy_target` |

The pool consists of the noise clips of all machines. In the lower two rows, the noise is independent of the recording,
so the best estimate of the recording also lacks a part of the recording's own noise. By default there is no separator
in these cases (`noise_only: identity`).
"""

from asdlib.data.tables import ClipTable
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.noise_pool import noise_clips, noise_pool, recordings
from asdlib.separation.settings import Pairs


def separation_data(
    machine: ClipTable, others: list[ClipTable], pairs: Pairs, seed: int
) -> tuple[MixturePairs | None, str]:
    """Return a machine's mixtures, or None if its recordings are not separated, and a sentence for the log.

    The pool is made of the noise clips of `others`, which may include the machine's own table.
    """
    name = machine.path.stem
    clean = recordings(machine, "clean")
    if clean:
        noise = noise_pool(machine, others)
        said = f"{name}: {len(clean)} clean clips in {len(noise)} recordings of noise"
        return MixturePairs(clean, noise, pairs, machine.recipe["sample_rate"], seed), said
    identity = pairs.noise_only == "identity"
    noise = [] if identity else recordings(machine, "noise") or noise_clips(machine, others)
    if reason := not_separated(0, len(noise), pairs):
        return None, f"{name}: {reason}"
    noisy = recordings(machine, "train")
    said = f"{name}: no clean clips: {len(noisy)} recordings as they are in {len(noise)} further recordings of noise"
    return MixturePairs(noisy, noise, pairs, machine.recipe["sample_rate"], seed), said


def not_separated(clean: int, noise: int, pairs: Pairs) -> str | None:
    """Return why a machine with these numbers of clean and of noise recordings has no separator, or None."""
    if clean:
        return None
    if pairs.noise_only == "identity":
        return "no clean clips: recordings pass unchanged (pairs.noise_only: identity)"
    return None if noise else "neither clean clips nor any machine's noise clips: recordings pass unchanged"
