"""The classes that classifiers tell apart: what a clip's metadata make of it."""

import torch
from torch import Tensor

from asdlib.examples.clips import Clips


def class_names(clips: Clips, section: bool = False, domain: bool = True) -> list[str]:
    """Return each clip's class as one name: "00, fan, source, m-n=X, spd=2".

    Machine type, domain and attributes; the section if wished, the domain unless it is not. A clip without attributes
    is named by the rest.
    """
    columns = [clips.column(name) for name in ("section", "machine", "domain", "attributes")]
    names = []
    for number, machine, where, attributes in zip(*columns, strict=True):
        first = [number, machine] if section else [machine]
        known = [f"{key}={value}" for key, value in sorted(attributes)]
        names.append(", ".join([*first, *([where or "unknown domain"] if domain else []), *known]))
    return names


def class_numbers(names: list[str], classes: list[str]) -> Tensor:
    """Return the number of each name among the classes, (N,)."""
    number = {name: index for index, name in enumerate(classes)}
    return torch.tensor([number[name] for name in names])
