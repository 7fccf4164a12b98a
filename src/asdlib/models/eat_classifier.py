"""EAT, fine-tuned to classify machines, domains and attributes (report 2 of DCASE 2025, §2.2).

The patches are pooled by attention into one vector, which a linear layer projects to a low-dimensional embedding. In
training the embedding is classified with an angular margin; afterwards it is compared to those of normal clips.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.classes import class_names, class_numbers
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers.encoders.eat import PATCH, EatEncoder
from asdlib.layers.pooling import AttentiveStatisticsPooling
from asdlib.losses.arcface import ArcFace
from asdlib.models.eat import refuse_shape
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.published.eat import read_eat


class EatClassifier(nn.Module):
    """Spectrograms (B, frames, bands) → embeddings (B, dimensions), trained with ArcFace."""

    def __init__(
        self,
        frames: int = 1024,
        bands: int = 128,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop_path: float = 0.0,
        attention: int = 128,
        dimensions: int = 128,
        scale: float = 30.0,
        margin: float = 0.5,
    ):
        super().__init__()
        self.shape = (frames, bands)
        self.scale = scale
        self.margin = margin
        self.encoder = EatEncoder(frames // PATCH, bands // PATCH, width, depth, heads, drop_path)
        self.pooling = AttentiveStatisticsPooling(width, attention)
        # Without it, what all clips have in common would give all embeddings nearly the same direction at first.
        self.norm = nn.BatchNorm1d(2 * width)
        self.reduce = nn.Linear(2 * width, dimensions)

    def start_from_public(self, path: Path) -> None:
        """Load a published encoder; a decoder or teacher in the file is ignored."""
        self.encoder.load(read_eat(path), str(path))

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Load the student of a pre-training."""
        self.encoder.load(checkpoint.weights, "init")

    def survey(self, clips: Clips) -> dict:
        """Return the classes of the training clips: machine type, domain and, if there are any, attributes."""
        return {"classes": sorted(set(class_names(clips)))}

    @staticmethod
    def refuse(clips: Clips, frames: int = 1024, bands: int = 128, **_: object) -> None:
        """Raise AsdError for spectrograms of another shape, and if all training clips are of one class."""
        refuse_shape(clips, (frames, bands))
        _refuse_one_class(sorted(set(class_names(clips))))

    def grow(self, facts: dict) -> None:
        """Build the head, with one direction per class."""
        self.classes = facts["classes"]
        _refuse_one_class(self.classes)
        self.head = ArcFace(self.reduce.out_features, len(self.classes), self.scale, self.margin)

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips, with the numbers of their classes as labels."""
        refuse_shape(clips, self.shape)
        return WholeClips(clips, class_numbers(class_names(clips), self.classes))

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy of ArcFace."""
        return self.head(self(batch.features), batch.labels)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return one embedding per clip, (B, dimensions)."""
        pooled = self.pooling(self.encoder(spectrograms)[:, 1:])  # (B, 2 · width)
        return self.reduce(self.norm(pooled)).float()

    def metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Return `accuracy`, the share of clips whose own class is the nearest, without the margin."""
        nearest = self.head.cosines(self(batch.features)).argmax(1)
        return {"accuracy": (nearest == batch.labels).float().mean()}

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `embedding`, (B, dimensions)."""
        return {"embedding": self(batch.features)}


def _refuse_one_class(classes: list[str]) -> None:
    if len(classes) < 2:
        raise AsdError(
            f"model eat_classifier: all training clips are of one class ({classes[0]}): add machines or domains"
        )
