"""Checkpoints: trained weights as safetensors, with their recipe and a digest in the header."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from asdlib.data.files import atomic
from asdlib.weights.digests import ORIGIN, checked, with_digest
from asdlib.weights.parameter_counts import CALIBRATION


@dataclass(frozen=True)
class Checkpoint:
    """Weights by name, the resolved recipe that they belong to, and the calibration samples returned by `finish`.

    `facts` are what was derived from the training clips before the network was built, such as class names.
    """

    recipe: dict[str, Any]
    weights: dict[str, Tensor]
    calibration: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the file appears once it is complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.weights.items()}
    tensors |= {f"{CALIBRATION}{name}": tensor.cpu().contiguous() for name, tensor in checkpoint.calibration.items()}
    origin = json.dumps({"recipe": checkpoint.recipe, "facts": checkpoint.facts}, sort_keys=True)
    with atomic(path) as temporary:
        temporary.write_bytes(serialize(tensors, metadata={ORIGIN: origin}))
        with temporary.open("rb") as file:
            origin = with_digest(file)
        temporary.write_bytes(serialize(tensors, metadata={ORIGIN: origin}))


def load(path: Path) -> Checkpoint:
    """Return a checkpoint from disk; safetensors contain no code, so reading cannot run any.

    Raises AsdError if the file is missing or damaged, and TooFewClipsError if its training was refused.
    """
    with checked(path) as origin, safe_open(path, framework="pt") as handle:
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    calibration = {name for name in tensors if name.startswith(CALIBRATION)}
    return Checkpoint(
        origin["recipe"],
        {name: tensor for name, tensor in tensors.items() if name not in calibration},
        {name.removeprefix(CALIBRATION): tensors[name] for name in sorted(calibration)},
        origin["facts"],
    )
