"""Whole clips as training examples, and the classes that a machine's metadata make of them."""

import torch
from torch import Tensor

from asdlib.blocks.clips import Batch, Clips


class WholeClips:
    """Examples that are whole clips; `labels` (N, …) are the model's own."""

    def __init__(self, clips: Clips, labels: Tensor | None = None):
        self._clips = clips
        self._frames = clips.frames
        self._target = clips.target
        self._labels = labels

    def __len__(self) -> int:
        return len(self._clips.table)

    def batch(self, indices: Tensor) -> Batch:
        """Return those clips; their features alone are read, also where the whole is a map of a file."""
        labels = None if self._labels is None else self._labels[indices]
        return Batch(self._clips.features[indices].float(), self._frames[indices], self._target[indices], labels)


def conditions(clips: Clips, domain: bool = True) -> list[str]:
    """Return each clip's machine type, domain and attributes as one name: "fan, source, m-n=X, spd=2".

    Where a clip has no attributes the name ends with the domain; with `domain` False domains are left out.
    """
    columns = zip(clips.column("machine"), clips.column("domain"), clips.column("attributes"), strict=True)
    names = []
    for machine, where, attributes in columns:
        known = [f"{key}={value}" for key, value in sorted(attributes)]
        names.append(", ".join([machine, *([where or "unknown domain"] if domain else []), *known]))
    return names


def class_numbers(names: list[str], classes: list[str]) -> Tensor:
    """Return the number of each name among the classes, (N,)."""
    number = {name: index for index, name in enumerate(classes)}
    return torch.tensor([number[name] for name in names])
