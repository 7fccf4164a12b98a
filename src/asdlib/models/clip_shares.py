"""What each training clip adds to a scatter, so that the clip can be left out of it."""

import torch
from torch import Tensor


class ClipShares:
    """The shares of clips in the scatter of rows that are centred batch by batch, each batch on its own mean.

    Without a clip, a batch has another mean. If R are the clip's rows of a centred batch, s is their sum and m the
    number of the batch's other rows, the scatter of the others is smaller by RᵀR + s sᵀ / m.

    `scatter` (clips, bands, bands) is the sum of a clip's shares over the batches, `vectors` (clips,) the number of its
    vectors, which have one or more rows each.
    """

    def __init__(self, clips: int, bands: int, device: torch.device):
        self.scatter = torch.zeros(clips, bands, bands, device=device)
        self.vectors = torch.zeros(clips, device=device)

    def add(self, clips: Tensor, centred: Tensor) -> None:
        """Add a batch: the clip of each vector, (B,), and the centred rows in the same order, (B · rows, bands)."""
        rows = centred.unflatten(0, (len(clips), -1))
        present, place, vectors = clips.unique(return_inverse=True, return_counts=True)
        sums = rows.new_zeros(len(present), rows.shape[2]).index_add_(0, place, rows.sum(1))
        others = (len(centred) - vectors * rows.shape[1]).clamp_min(1)  # of a clip that is alone, the sum is 0
        # s sᵀ / m is a further row of each of the clip's vectors: one product for both terms.
        further = (sums / (others * vectors).sqrt()[:, None])[place]
        blocks = torch.cat([rows, further[:, None]], dim=1)
        self.scatter.index_add_(0, clips, blocks.mT @ blocks)
        self.vectors[present] += vectors

    def distances(self, clips: Tensor, scatter: Tensor, vectors: Tensor) -> Tensor:
        """Return vᵀ Σ⁻¹ v of a vector v for each clip, where Σ is the scatter of all of these clips but that one.

        `scatter` is that of all, divided by the number of their vectors less one. The distance from no clips is
        infinite.
        """
        total = self.vectors[clips].sum()
        found = [self._distance(*pair, scatter, total) for pair in zip(clips.tolist(), vectors, strict=True)]
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
