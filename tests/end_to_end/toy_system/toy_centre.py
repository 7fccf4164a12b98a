"""A model that reads a clip as the mean of its frames, through one linear layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asdlib.examples.clips import Batch, Clips


@dataclass(frozen=True)
class WholeClips:
    """Clips as training examples."""

    clips: Clips

    def __len__(self) -> int:
        return len(self.clips.table)

    def batch(self, indices: Tensor) -> Batch:
        return Batch(self.clips.features[indices].float(), self.clips.frames[indices], self.clips.target[indices])


class ToyCentre(nn.Module):
    """Reconstructs a clip's mean spectrum after noise; `latent` is what lies between."""

    def __init__(self, bands: int):
        super().__init__()
        self.linear = nn.Linear(bands, bands)

    def examples(self, clips: Clips) -> WholeClips:
        return WholeClips(clips)

    def loss(self, batch: Batch) -> Tensor:
        mean = batch.features.mean(1)  # (B, bands)
        return (self.linear(mean + torch.randn_like(mean)) - mean).square().mean()

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        return {"latent": self.linear(batch.features.mean(1))}
