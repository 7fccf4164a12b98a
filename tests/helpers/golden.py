"""The golden data: inputs, weights and outputs of the reference implementations that the parity tests compare with.

They lie in tests/golden; $ASDLIB_GOLDEN may name a folder with others of the same form, which are then taken instead.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

OURS = Path(__file__).resolve().parents[1] / "golden"


def golden(name: str) -> Path:
    """Return the folder or file `name` in $ASDLIB_GOLDEN if it is there, else in tests/golden."""
    chosen = os.environ.get("ASDLIB_GOLDEN")
    if chosen and not Path(chosen).is_dir():
        raise FileNotFoundError(f"ASDLIB_GOLDEN: {chosen}: is not a folder: name one, or unset the variable")
    folders = [*([Path(chosen)] if chosen else []), OURS]
    found = next((folder / name for folder in folders if (folder / name).exists()), None)
    if found is None:
        raise FileNotFoundError(f"golden {name}: in none of {', '.join(map(str, folders))}: check the files out again")
    return found


@dataclass(frozen=True)
class Golden:
    """One golden: its config, its inputs and outputs, and its weights (empty if it has none)."""

    folder: Path
    config: dict[str, Any]
    io: dict[str, Tensor]
    weights: dict[str, Tensor]

    @classmethod
    def read(cls, folder: Path) -> "Golden":
        """Read the files of a folder."""
        config = json.loads((folder / "config.json").read_text())
        weights = folder / "weights.safetensors"
        return cls(folder, config, load_file(folder / "io.safetensors"), load_file(weights) if weights.exists() else {})

    @property
    def sizes(self) -> dict[str, Any]:
        """Return what the reference was built from."""
        return self.config["cfg"] if "cfg" in self.config else self.config["hyperparameters"]

    @property
    def tolerance(self) -> dict[str, float]:
        """Return the deviation that the golden allows."""
        return self.config["tolerance"]

    def stored(self, prefix: str) -> dict[str, Tensor]:
        """Return the stored tensors whose names begin with a prefix, without it; there must be some."""
        found = {name.removeprefix(prefix): value for name, value in self.io.items() if name.startswith(prefix)}
        assert found, f"{self.folder}: no {prefix}*"
        return found


def as_stored(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return every n-th value of `ours` along each axis, as many as are stored."""
    for axis, (whole, stored) in enumerate(zip(ours.shape, theirs.shape, strict=True)):
        step = next(step for step in range(1, whole + 1) if -(-whole // step) <= stored)
        ours = ours.index_select(axis, torch.arange(0, whole, step))
    return ours
