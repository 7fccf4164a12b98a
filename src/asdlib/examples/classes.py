"""The classes of clips for classifiers, from their metadata."""

import torch
from torch import Tensor

from asdlib.examples.clips import Clips


def class_names(clips: Clips, section: bool = False, domain: bool = True, attributes: bool = True) -> list[str]:
    """Return the class of each clip as a name such as "00, fan, source, m-n=X, spd=2".

    A class is the machine type, with the section, the domain and the attributes if these are true.
    """
    columns = [clips.column(name) for name in ("section", "machine", "domain", "attributes")]
    names = []
    for number, machine, where, pairs in zip(*columns, strict=True):
        first = [number, machine] if section else [machine]
        known = [f"{key}={value}" for key, value in sorted(pairs)] if attributes else []
        names.append(", ".join([*first, *([where or "unknown domain"] if domain else []), *known]))
    return names


def class_numbers(names: list[str], classes: list[str]) -> Tensor:
    """Return the index of each name in `classes`, (N,)."""
    number = {name: index for index, name in enumerate(classes)}
    return torch.tensor([number[name] for name in names])
