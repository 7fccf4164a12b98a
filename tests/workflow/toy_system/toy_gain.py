"""A separator of one number: how loud the machine is in its mixture."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.blocks.clips import Batch
from asdlib.data.tables import ClipTable


@dataclass(frozen=True)
class Mixtures:
    """Training clips, (N, samples) in [-1, 1]."""

    audio: Tensor

    def __len__(self) -> int:
        return len(self.audio)

    def batch(self, indices: Tensor) -> Batch:
        count = len(indices)
        return Batch(self.audio[indices], torch.ones(count, dtype=torch.int64), torch.zeros(count, dtype=torch.bool))


class ToyGain(nn.Module):
    """Scales a mixture by one learned factor."""

    def __init__(self, start: float = 1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(start))

    def examples(self, table: ClipTable) -> Mixtures:
        _, audio = table.load("audio", "train")
        return Mixtures(torch.from_numpy(audio.astype(np.float32)) / 32768.0)

    def loss(self, batch: Batch) -> Tensor:
        return (self.separate(batch.features) - 0.9 * batch.features).abs().mean()

    def separate(self, mixture: Tensor) -> Tensor:
        return self.gain * mixture
