"""Checkpoints: trained weights as safetensors, with their recipe in the header."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from asdlib.data.files import atomic
from asdlib.errors import AsdError

_ORIGIN = "asdlib"  # the header's entry with recipe and facts, as JSON
_CALIBRATION = "calibration."  # prefix of the samples for decision thresholds


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
    tensors |= {f"{_CALIBRATION}{name}": tensor.cpu().contiguous() for name, tensor in checkpoint.calibration.items()}
    # A single entry: safetensors writes several in arbitrary order, but the same weights must give the same bytes.
    origin = json.dumps({"recipe": checkpoint.recipe, "facts": checkpoint.facts}, sort_keys=True)
    content = serialize(tensors, metadata={_ORIGIN: origin})
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Checkpoint:
    """Return a checkpoint from disk; safetensors contain no code, so reading cannot run any.

    Raise AsdError if the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            origin = json.loads((handle.metadata() or {}).get(_ORIGIN, "{}"))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (SafetensorError, OSError) as error:
        raise AsdError(f"{path}: is not a whole safetensors file ({error}): delete it and run again") from error
    calibration = {name for name in tensors if name.startswith(_CALIBRATION)}
    return Checkpoint(
        origin.get("recipe", {}),
        {name: tensor for name, tensor in tensors.items() if name not in calibration},
        {name.removeprefix(_CALIBRATION): tensors[name] for name in sorted(calibration)},
        origin.get("facts", {}),
    )
