"""The base class of system4's discriminative models, which classify compound labels (report, §2.1, eq. 2)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.classes import class_names, class_numbers
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips

LABELS = ("attributes", "machine")


class LabelClassifier(nn.Module):
    """A linear classifier of compound labels on an embedding, trained with cross-entropy.

    `labels` is `attributes` for classes such as `fan, load=medium, rpm=1800`, or `machine` for the machine type alone.
    The year is not part of a label: recordings of the same name in several years form one class. Subclasses implement
    `embedding(batch) -> (B, width)` and pass its `width` to the constructor.
    """

    divisible = True  # a mean over clips (asdlib.training.micro_batches)

    def __init__(self, width: int, labels: str):
        if labels not in LABELS:
            raise AsdError(f"model: labels {labels!r}: use one of: {', '.join(LABELS)}")
        super().__init__()
        self.width = width
        self.labels = labels

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the sorted labels of the training clips; raise AsdError if there is only one."""
        self.refuse(clips, self.labels)
        return {"classes": sorted(set(label_names(clips, self.labels)))}

    @staticmethod
    def refuse(clips: Clips, labels: str = "attributes", **_: object) -> None:
        """Raise AsdError if all training clips have one label."""
        first, *others = sorted(set(label_names(clips, labels)))
        if not others:
            raise AsdError(f"model: all training clips have one label ({first}): add machines or attributes")

    def grow(self, facts: dict[str, Any]) -> None:
        """Build the head for the labels, with PyTorch's initial weights.

        With the far smaller ones of AudioMAE's fine-tuning (2e-5), BEATs from random weights learns more slowly and in
        fewer directions (docs/system4.md).
        """
        self.classes = facts["classes"]
        self.head = nn.Linear(self.width, len(self.classes))

    def take_head(self, weights: dict[str, Tensor], classes: list[str]) -> None:
        """Copy the rows of an earlier head for the labels that both heads have."""
        earlier = {name: row for row, name in enumerate(classes)}
        with torch.no_grad():
            for row, name in enumerate(self.classes):
                if name in earlier:
                    self.head.weight[row] = weights["head.weight"][earlier[name]]
                    self.head.bias[row] = weights["head.bias"][earlier[name]]

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips with the numbers of their labels."""
        return WholeClips(clips, class_numbers(label_names(clips, self.labels), self.classes))

    def embedding(self, batch: Batch) -> Tensor:
        """Return one vector per clip, (B, width)."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of the labels (eq. 2)."""
        return functional.cross_entropy(self.head(self.embedding(batch)), batch.labels)

    def metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Return `accuracy`, the share of clips whose label is predicted."""
        return {"accuracy": (self.head(self.embedding(batch)).argmax(1) == batch.labels).float().mean()}

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `embedding` (B, width)."""
        return {"embedding": self.embedding(batch)}


def label_names(clips: Clips, labels: str) -> list[str]:
    """Return the label of each clip; `labels` is one of LABELS."""
    return clips.column("machine") if labels == "machine" else class_names(clips, domain=False)
