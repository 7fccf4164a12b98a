"""Examples that a toy network learns from in an instant."""

import torch
from torch import Tensor

from asdlib.examples.clips import Batch


class Points:
    """Random examples of four values."""

    def __init__(self, count: int = 50):
        self.values = torch.randn(count, 4, generator=torch.Generator().manual_seed(3))

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, indices: Tensor) -> Batch:
        chosen = self.values[indices]
        return Batch(chosen, torch.ones(len(chosen)), torch.zeros(len(chosen), dtype=torch.bool))
