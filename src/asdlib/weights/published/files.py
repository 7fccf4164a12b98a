"""Published weights on disk, read without running anything in them, and checked key by key.

Safetensors hold no code. PyTorch's own files are pickles: they are read by PyTorch's restricted unpickler, which makes
nothing but tensors and plain containers. Training frameworks leave settings of their own classes beside the weights
(fairseq: omegaconf and enums; others: argparse). Those names are known, and stand-ins that do nothing take their
place. A file that names anything else is refused.
"""

import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from asdlib.errors import AsdError

IGNORED = ("argparse", "omegaconf", "hydra", "fairseq", "enum", "numpy", "pathlib", "typing")  # packages of settings
FORMATS = (b"PK\x03\x04", b"\x80\x02\x8a\n")  # how PyTorch's archives begin, and its files before version 1.6
PLAIN = {f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "object", "str", "tuple")}


class Ignored:
    """Stands where a file has an object of a training framework: takes whatever it is given and keeps nothing."""

    def __init__(self, *arguments: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""


def read_published(path: Path) -> dict[str, Any]:
    """Return what a published file holds: a dictionary, its tensors on the CPU.

    Refuses a file that cannot be read whole, holds no dictionary, or would run code.
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            pickled = handle.read(4) in FORMATS
        content = _unpickle(path) if pickled else load_file(path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AsdError(f"{path}: cannot be read as published weights ({reason}): fetch the file again") from error
    if not isinstance(content, dict):
        raise AsdError(f"{path}: holds a {type(content).__name__}, not weights by name: use the published file")
    return content


def _unpickle(path: Path) -> Any:
    """Load a pickle of tensors, plain containers and known settings; refuse any other."""
    stand_ins: list[tuple[Any, str]] = [(_empty, "collections.defaultdict")]
    stand_ins += [(Ignored, name) for name in _foreign(path) if name.split(".")[0] in IGNORED or name in PLAIN]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, TypeError, AttributeError, LookupError) as error:
        allowed = {name for _, name in stand_ins}
        named = ", ".join(sorted(name for name in _foreign(path) if name not in allowed)) or "an unusual pickle"
        raise AsdError(f"{path}: is not only weights ({named}), and is not opened: use the published file") from error


def _empty(*default: Any) -> OrderedDict:
    """Stand in for `collections.defaultdict`, whatever it is told to make of a missing key."""
    return OrderedDict()


def _foreign(path: Path) -> list[str]:
    """Return the names in a file that PyTorch's restricted unpickler does not know, without unpickling anything."""
    with path.open("rb") as handle:
        if handle.read(4) != FORMATS[0]:
            return []  # the old form cannot be looked through; it is read with no stand-ins at all
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except pickle.UnpicklingError:
        return []  # operations that the restricted unpickler does not know either: it says so itself


def float_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the floating-point tensors of a dictionary in float32; everything else in it is left out."""
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}


def check_keys(source: str, weights: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]]) -> None:
    """Refuse weights that are not exactly the expected names and shapes; `source` says whose they are."""
    remedy = "use the checkpoint that this architecture was published with"
    for what, names in (
        ("missing", [name for name in expected if name not in weights]),
        ("unknown", [name for name in weights if name not in expected]),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise AsdError(f"{source}: {names[0]}{more} is {what}: {remedy}")
    for name, shape in expected.items():
        if tuple(weights[name].shape) != tuple(shape):
            found = " × ".join(map(str, weights[name].shape))
            raise AsdError(f"{source}: {name} is {found}, not {' × '.join(map(str, shape))}: {remedy}")
