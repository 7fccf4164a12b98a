"""The size of a trained network, read from the header of its safetensors file."""

import re
from math import prod
from pathlib import Path

from safetensors import safe_open

from asdlib.weights.digests import checked

CALIBRATION = "calibration."  # prefix of the samples for decision thresholds
_NO_WEIGHT = re.compile(rf"{re.escape(CALIBRATION)}|(.*\.)?velocity_")  # the latter: momentum of DisMAE's domain head


def count_parameters(path: Path) -> int:
    """Return the number of stored weights: floating-point values, including running statistics of normalisations.

    Raises AsdError if the file is missing or damaged.
    """
    with checked(path), safe_open(path, framework="np") as handle:
        slices = [handle.get_slice(name) for name in handle.keys() if not _NO_WEIGHT.match(name)]  # noqa: SIM118
        return sum(prod(part.get_shape()) for part in slices if part.get_dtype().startswith(("F", "BF")))
