"""The size of a trained network, read from the header of its safetensors file."""

from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from asdlib.errors import AsdError

_CALIBRATION = "calibration."  # prefix of samples that are not weights, see asdlib.weights.checkpoints


def count_parameters(path: Path) -> int:
    """Return the number of stored weights: floating-point values, including running statistics of normalisations.

    Raise AsdError if the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="np") as handle:
            slices = [handle.get_slice(name) for name in handle.keys() if not name.startswith(_CALIBRATION)]  # noqa: SIM118
            return sum(prod(part.get_shape()) for part in slices if part.get_dtype().startswith(("F", "BF")))
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (SafetensorError, OSError) as error:
        raise AsdError(f"{path}: is not a whole safetensors file ({error}): delete it and run again") from error
