"""What a machine's separator learns from, as far as its supplements allow. No test clip is read.

| the machine has    | mixture                    | sources         |
|--------------------|----------------------------|-----------------|
| clean clips        | clean + noise of the pool  | clean, noise    |
| noise clips only   | recording + its own noise  | recording, noise: if `noise_only: noisy_target` |
| neither            | recording + pool           | recording, noise: if `noise_only: noisy_target` |

The pool is the noise clips of all machines. In the lower rows the noise is independent of the recording, so the best
estimate of the recording leaves out what sounds like noise, part of its own included; by default there is no separator
instead (`noise_only: identity`).
"""

from asdlib.data.tables import ClipTable
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.noise_pool import noise_clips, noise_pool, recordings
from asdlib.separation.settings import Pairs


def separation_data(
    machine: ClipTable, others: list[ClipTable], pairs: Pairs, seed: int
) -> tuple[MixturePairs | None, str]:
    """Return a machine's mixtures, None if its recordings are to pass unchanged, and a sentence for the log.

    `others` are the tables whose noise clips make the pool; the machine's own may be among them.
    """
    name = machine.path.stem
    clean = recordings(machine, "clean")
    if clean:
        noise = noise_pool(machine, others)
        said = f"{name}: {len(clean)} clean clips in {len(noise)} recordings of noise"
        return MixturePairs(clean, noise, pairs, machine.recipe["sample_rate"], seed), said
    if pairs.noise_only == "identity":
        return None, f"{name}: no clean clips: recordings pass unchanged (pairs.noise_only: identity)"
    noise = recordings(machine, "noise") or noise_clips(machine, others)
    if not noise:
        return None, f"{name}: neither clean clips nor any machine's noise clips: recordings pass unchanged"
    noisy = recordings(machine, "train")
    said = f"{name}: no clean clips: {len(noisy)} recordings as they are in {len(noise)} further recordings of noise"
    return MixturePairs(noisy, noise, pairs, machine.recipe["sample_rate"], seed), said
