"""How large a trained network is, by the header of its safetensors file alone."""

from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from asdlib.errors import AsdError

_CALIBRATION = "calibration."  # samples beside the weights, see asdlib.weights.checkpoints


def count_parameters(path: Path) -> int:
    """The number of stored weights: floating-point tensors, running statistics of normalisation layers included."""
    try:
        with safe_open(path, framework="np") as handle:
            slices = [handle.get_slice(name) for name in handle.keys() if not name.startswith(_CALIBRATION)]  # noqa: SIM118
            return sum(prod(part.get_shape()) for part in slices if part.get_dtype().startswith(("F", "BF")))
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is gone: run again, and it is made anew") from error
    except (SafetensorError, OSError) as error:
        raise AsdError(f"{path}: is not a whole safetensors file ({error}): delete it and run again") from error
