"""What all separators inherit: the measurement on held-out mixtures that decides whether their estimates are used.

A separator can be worse than no separator, for example after too few steps. Its clips then pass unchanged. Only the
held-out mixtures of its own training decide, never test clips.
"""

import logging
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.separation.estimates import si_sdr
from asdlib.separation.mixtures import Mixtures

BEFORE, AFTER = "si_sdr_of_mixtures", "si_sdr_separated"  # calibration samples, one per held-out mixture, in dB
ROUNDING = 0.01  # dB: a smaller difference between two SI-SDRs is none

_log = logging.getLogger(__name__)


class Separator(nn.Module):
    """A network with the method `separate`, measured on its held-out mixtures after training."""

    def finish(self, training: Iterable[Mixtures], validation: Iterable[Mixtures], losses: Tensor) -> dict[str, Tensor]:
        """Return the SI-SDR in dB of the machine in each held-out mixture, as it is and separated, (N,) each.

        A warning is logged if the separated ones are worse on average.
        """
        measured = held_out_si_sdr(self, validation)
        why = worse_than_mixtures(measured)
        if why:
            _log.warning("%s: its clips will pass unchanged: train longer, or on more recordings", why)
        else:
            before, after = (float(measured[name].mean()) for name in (BEFORE, AFTER))
            _log.info("the SI-SDR of held-out mixtures is %.1f dB, separated %.1f dB", before, after)
        return measured


@torch.no_grad()
def held_out_si_sdr(separator: nn.Module, validation: Iterable[Mixtures]) -> dict[str, Tensor]:
    """Return the SI-SDR of every held-out mixture and of what `separate` makes of it, in dB, (N,) each."""
    before, after = [], []
    for mixtures in validation:
        machine = mixtures.sources[:, 0]
        before.append(si_sdr(mixtures.mixture, machine))
        after.append(si_sdr(separator.separate(mixtures.mixture), machine))
    return {BEFORE: torch.cat(before), AFTER: torch.cat(after)}


def worse_than_mixtures(calibration: Mapping[str, Tensor]) -> str | None:
    """Return in words by how much a separator lowers the mean SI-SDR of its held-out mixtures, None if it does not.

    Raises AsdError if it has not been measured.
    """
    if not {BEFORE, AFTER} <= calibration.keys():
        raise AsdError("separators: no SI-SDR of held-out mixtures: derive the class from Separator and train it again")
    before, after = (float(calibration[name].mean()) for name in (BEFORE, AFTER))
    if after >= before - ROUNDING:
        return None
    count = len(calibration[AFTER])
    return f"the SI-SDR of {count} held-out mixtures falls from {before:.1f} to {after:.1f} dB by separation"
