"""What each recording of the training clips adds to a scatter, so that it can be left out of it."""

import torch
from torch import Tensor


class ClipShares:
    """The shares of recordings in the scatter of rows that are centred batch by batch, each batch on its own mean.

    `wholes` (clips,) is the number of each clip's recording: clips can be pieces of one. Without a recording, a batch
    has another mean. If R are its rows of a centred batch, s is their sum and m the number of the batch's other rows,
    the scatter of the others is smaller by RᵀR + s sᵀ / m.

    `scatter` (recordings, bands, bands) is the sum of a recording's shares over the batches, `vectors` (recordings,)
    the number of its vectors, which have one or more rows each.
    """

    def __init__(self, wholes: Tensor, bands: int, device: torch.device):
        self._wholes = wholes.to(device)
        count = int(wholes.max()) + 1
        self.scatter = torch.zeros(count, bands, bands, device=device)
        self.vectors = torch.zeros(count, device=device)

    def add(self, clips: Tensor, centred: Tensor) -> None:
        """Add a batch: the clip of each vector, (B,), and the centred rows in the same order, (B · rows, bands)."""
        wholes = self._wholes[clips]
        rows = centred.unflatten(0, (len(wholes), -1))
        present, place, vectors = wholes.unique(return_inverse=True, return_counts=True)
        sums = rows.new_zeros(len(present), rows.shape[2]).index_add_(0, place, rows.sum(1))
        others = (len(centred) - vectors * rows.shape[1]).clamp_min(1)  # of one that is alone, the sum is 0
        # s sᵀ / m is a further row of each of its vectors: one product for both terms.
        further = (sums / (others * vectors).sqrt()[:, None])[place]
        blocks = torch.cat([rows, further[:, None]], dim=1)
        self.scatter.index_add_(0, wholes, blocks.mT @ blocks)
        self.vectors[present] += vectors

    def distances(self, clips: Tensor, scatter: Tensor, vectors: Tensor) -> Tensor:
        """Return vᵀ Σ⁻¹ v of a vector v for each clip, where Σ is the scatter of all of these clips' other recordings.

        `scatter` is that of all, divided by the number of their vectors less one. The distance from no clips is
        infinite.
        """
        wholes = self._wholes[clips]
        total = self.vectors[wholes.unique()].sum()
        found = [self._distance(*pair, scatter, total) for pair in zip(wholes.tolist(), vectors, strict=True)]
        return torch.stack(found) if found else vectors.new_zeros(0)

    def _distance(self, clip: int, vector: Tensor, scatter: Tensor, total: Tensor) -> Tensor:
        others = total - self.vectors[clip]
        if not others:
            return vector.new_tensor(torch.inf)
        sums = scatter.double() * (total - 1).clamp_min(1) - self.scatter[clip]
        values, directions, _ = decomposed(sums / (others - 1).clamp_min(1), torch.finfo(scatter.dtype).eps)
        return ((vector.double() @ directions).square() / values).sum().to(vector.dtype)


def decomposed(scatter: Tensor, precision: float | None = None) -> tuple[Tensor, Tensor, int]:
    """Return eigenvalues and eigenvectors of a scatter, and how many eigenvalues were raised to working precision.

    The precision is that of the scatter's numbers, unless it was computed from less precise ones.
    """
    values, vectors = torch.linalg.eigh(scatter.double())
    smallest = len(scatter) * (precision or torch.finfo(scatter.dtype).eps) * values[-1]
    return values.clamp_min(smallest), vectors, int((values < smallest).sum())
