"""The classes that a joint training tells apart, and its examples: whole clips with the number of their class."""

import pyarrow as pa
import torch
from torch import Tensor

from asdlib.blocks.clips import Batch, Clips
from asdlib.errors import AsdError


def class_names(clips: pa.Table, domain: bool = True) -> list[str]:
    """Name the class of every clip: machine / section / domain / attributes, the domain only if it counts."""
    parts = [clips.column(name).to_pylist() for name in ("machine", "section", "domain", "attributes")]
    return [
        "/".join([machine, section, *([own or "unknown"] if domain else []), _text(attributes)])
        for machine, section, own, attributes in zip(*parts, strict=True)
    ]


def class_numbers(names: list[str], classes: list[str]) -> Tensor:
    """Return the place of every name in `classes`, (N,)."""
    places = {name: number for number, name in enumerate(classes)}
    strangers = sorted(set(names) - set(places))
    if strangers:
        raise AsdError(f"training clips: class {strangers[0]!r} was not there when the model was built: train it again")
    return torch.tensor([places[name] for name in names])


class LabelledClips:
    """Whole clips as examples: one row of `features` (N, …) and one class (N,) each."""

    def __init__(self, features: Tensor, clips: Clips, labels: Tensor):
        self._features = features
        self._frames = clips.frames
        self._target = clips.target
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, indices: Tensor) -> Batch:
        """Return those clips in float32; only their rows are read."""
        features = self._features[indices].float()
        return Batch(features, self._frames[indices], self._target[indices], self._labels[indices])


def _text(attributes: list[tuple[str, str]]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(attributes))
