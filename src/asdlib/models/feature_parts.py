"""Features as they are, under names: for backends that score what a frontend computes."""

from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch


class FeatureParts(nn.Module):
    """Rows (B, 1, values) → the first `sizes[0]` values under the name `names[0]`, the next under the next name, …"""

    trained = False
    uses_gpu = False

    def __init__(self, names: list[str], sizes: list[int]):
        super().__init__()
        if len(names) != len(sizes):
            raise AsdError(f"model feature_parts: {len(names)} names and {len(sizes)} sizes: give as many of both")
        self.names = names
        self.sizes = sizes

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the parts of every clip, (B, size) each."""
        rows = batch.features.flatten(1)
        if rows.shape[1] != sum(self.sizes):
            raise AsdError(f"model feature_parts: clips have {rows.shape[1]} values: change sizes {self.sizes}")
        return dict(zip(self.names, rows.split(self.sizes, dim=1), strict=True))
