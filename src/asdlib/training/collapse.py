"""The collapse of a training: a network that represents all clips of a machine alike."""

import logging

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips, origins

LEAST_RANK = 2.0
LEAST_SPREAD = 1e-3  # ours; the trained networks of the demo and of real recordings have 0.011 and more
ROWS = 16  # clips embedded at a time
MOST_CLIPS = 128  # evenly spaced over the training clips
REPRESENTATIONS = ("embedding", "latent", "semantic", "cls", "mean", "rows")  # others are errors and densities

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
    """Log the effective rank and the spread of each representation of the training clips; warn if either is too small.

    Both are of the differences to the mean of the machine: what the clips of a machine have in common is no collapse.
    The spread is the root mean square of the differences, relative to that of the embeddings. It tells embeddings that
    are equal up to noise, whose rank may be high. Too few clips or dimensions have no rank of 2, and are no sign of a
    collapse. Raises AsdError if a representation is not finite.
    """
    for name, parts in _represented(network, clips).items():
        whole = torch.cat(parts).double()
        if not whole.isfinite().all():
            raise AsdError(f"training: the {name} of some clips is not finite: lower training.learning_rate")
        differences = torch.cat([part.double() - part.double().mean(0) for part in parts])
        most = min(len(whole) - len(parts), whole.shape[1])
        if most <= LEAST_RANK:
            continue
        rank = effective_rank(differences)
        spread = float(differences.norm() / whole.norm().clamp_min(torch.finfo(whole.dtype).tiny))
        if rank < LEAST_RANK or spread < LEAST_SPREAD:
            _log.warning(
                "%s: the training has collapsed: %d clips are represented almost alike within their machines "
                "(effective rank %.2f of %d, relative spread %.2g)",
                name, len(whole), rank, most, spread,
            )  # fmt: skip
        else:
            _log.info("%s: effective rank %.1f of %d, relative spread %.2g", name, rank, most, spread)


def _represented(network: nn.Module, clips: Clips) -> dict[str, list[Tensor]]:
    """Return the representations of some of the clips, as they are embedded later; one tensor for each machine."""
    device = next(network.parameters()).device
    chosen = torch.linspace(0, len(clips.table) - 1, min(len(clips.table), MOST_CLIPS)).round().long()
    machines = clips.column("machine")
    found: dict[str, list[Tensor]] = {}
    for machine in sorted({machines[row] for row in chosen.tolist()}):
        if hasattr(network, "for_machine"):
            network.for_machine(machine)
        own: dict[str, list[Tensor]] = {}
        for rows in torch.tensor([row for row in chosen.tolist() if machines[row] == machine]).split(ROWS):
            unknown = torch.zeros(len(rows), dtype=torch.bool)
            known = origins(clips.table.take(rows.numpy()))
            batch = Batch(clips.features[rows], clips.frames[rows], unknown, origins=known).to(device)
            embedded = {name: array for name, array in network.embed(batch).items() if name in REPRESENTATIONS}
            if not embedded:
                return {}  # the network embeds clips as errors or densities: the others need not be embedded
            for name, array in embedded.items():
                own.setdefault(name, []).append(array.float().flatten(1).cpu())
        for name, arrays in own.items():
            found.setdefault(name, []).append(torch.cat(arrays))
    return found
