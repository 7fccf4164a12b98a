"""The collapse of a training: a network that represents all clips alike."""

import logging

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips, origins

LEAST_RANK = 2.0
MOST_CLIPS = 128  # evenly spaced over the training clips
REPRESENTATIONS = ("embedding", "latent", "semantic", "cls", "mean")  # of whole clips; others are errors and densities

_log = logging.getLogger(__name__)


def effective_rank(embeddings: Tensor) -> float:
    """Return the effective rank of embeddings (N, dimensions), from 1 to min(N, dimensions).

    It is the exponential of the entropy of the normalised singular values (Roy and Vetterli, EUSIPCO 2007). Equal
    embeddings have rank 1, and so have embeddings that differ in length alone.
    """
    values = torch.linalg.svdvals(embeddings.double())
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return float(torch.special.entr(shares).sum().exp())


@torch.no_grad()
def warn_of_collapse(network: nn.Module, clips: Clips) -> None:
    """Log the effective rank of each representation of the training clips, with a warning below 2.

    Fewer than three clips or dimensions have no higher rank, and are no sign of a collapse. Raises AsdError if a
    representation is not finite.
    """
    for name, embeddings in _represented(network, clips).items():
        if not embeddings.isfinite().all():
            raise AsdError(f"training: the {name} of some clips is not finite: lower training.learning_rate")
        if min(embeddings.shape) <= LEAST_RANK:
            continue
        rank = effective_rank(embeddings)
        if rank < LEAST_RANK:
            _log.warning(
                "%s: the training has collapsed: %d clips are represented almost alike (effective rank %.2f of %d)",
                name, *embeddings.shape[:1], rank, min(embeddings.shape),
            )  # fmt: skip
        else:
            _log.info("%s: effective rank %.1f of %d", name, rank, min(embeddings.shape))


def _represented(network: nn.Module, clips: Clips, size: int = 16) -> dict[str, Tensor]:
    """Return the representations of some of the clips, as they are embedded later, machine by machine."""
    device = next(network.parameters()).device
    chosen = torch.linspace(0, len(clips.table) - 1, min(len(clips.table), MOST_CLIPS)).round().long()
    machines = clips.column("machine")
    found: dict[str, list[Tensor]] = {}
    for machine in sorted({machines[row] for row in chosen.tolist()}):
        if hasattr(network, "for_machine"):
            network.for_machine(machine)
        for rows in torch.tensor([row for row in chosen.tolist() if machines[row] == machine]).split(size):
            unknown = torch.zeros(len(rows), dtype=torch.bool)
            known = origins(clips.table.take(rows.numpy()))
            batch = Batch(clips.features[rows], clips.frames[rows], unknown, origins=known).to(device)
            for name, array in network.embed(batch).items():
                if name in REPRESENTATIONS:
                    found.setdefault(name, []).append(array.float().cpu())
    return {name: torch.cat(arrays) for name, arrays in found.items()}
