"""Trained weights on disk: safetensors whose header says what made them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from asdlib.data.files import atomic
from asdlib.errors import AsdError

_ORIGIN = "asdlib"  # the header's entry: recipe and facts, as JSON
_CALIBRATION = "calibration."  # samples for decision thresholds, beside the weights


@dataclass(frozen=True)
class Checkpoint:
    """Weights by name, the resolved recipe that they belong to, and the calibration samples of `finish`.

    `facts` are what the network learned from its training clips before it had its shape: class names and the like.
    """

    recipe: dict[str, Any]
    weights: dict[str, Tensor]
    calibration: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; it appears when it is whole."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.weights.items()}
    tensors |= {f"{_CALIBRATION}{name}": tensor.cpu().contiguous() for name, tensor in checkpoint.calibration.items()}
    # One entry: safetensors writes several in an order of its own, and the same weights must be the same bytes.
    origin = json.dumps({"recipe": checkpoint.recipe, "facts": checkpoint.facts}, sort_keys=True)
    content = serialize(tensors, metadata={_ORIGIN: origin})
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; safetensors holds no code, so nothing can be run by reading it."""
    try:
        with safe_open(path, framework="pt") as handle:
            origin = json.loads((handle.metadata() or {}).get(_ORIGIN, "{}"))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is gone: run again, and it is made anew") from error
    except (SafetensorError, OSError) as error:
        raise AsdError(f"{path}: is not a whole safetensors file ({error}): delete it and run again") from error
    calibration = {name for name in tensors if name.startswith(_CALIBRATION)}
    return Checkpoint(
        origin.get("recipe", {}),
        {name: tensor for name, tensor in tensors.items() if name not in calibration},
        {name.removeprefix(_CALIBRATION): tensors[name] for name in sorted(calibration)},
        origin.get("facts", {}),
    )
