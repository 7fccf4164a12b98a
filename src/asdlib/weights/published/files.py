"""The safe reader of files of public weights, and the check of parameter names and shapes.

Safetensors contain no code. PyTorch's own files are pickles. They are read by PyTorch's restricted unpickler, which
creates only tensors and plain containers. Training frameworks also store settings as objects of their own classes
(fairseq: omegaconf and enums; others: argparse). Placeholders that do nothing replace the classes of known packages of
this type. A file with any other class or function is refused.
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

from asdlib.errors import AsdError, and_more
from asdlib.weights.published.formats import ZIPPED, is_pickled

IGNORED = ("argparse", "omegaconf", "hydra", "fairseq", "enum", "numpy", "pathlib", "typing")  # packages of settings
PLAIN = {f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "object", "str", "tuple")}


class Ignored:
    """Replaces an object of a training framework: accepts any arguments and keeps nothing."""

    def __init__(self, *arguments: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""


def read_published(path: Path) -> dict[str, Any]:
    """Return the content of a file of public weights, a dictionary with tensors on the CPU.

    Raises AsdError if the file is damaged, does not contain a dictionary, or would run code.
    """
    path = Path(path)
    try:
        content = _unpickle(path) if is_pickled(path) else load_file(path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AsdError(f"{path}: cannot be read as public weights ({reason}): fetch the file again") from error
    if not isinstance(content, dict):
        raise AsdError(f"{path}: contains a {type(content).__name__}, not weights by name: use the published file")
    return content


def _unpickle(path: Path) -> Any:
    """Return the content of a pickle of tensors, plain containers and known settings; refuse any other."""
    stand_ins: list[tuple[Any, str]] = [(_empty, "collections.defaultdict")]
    stand_ins += [(Ignored, name) for name in _foreign(path) if name.split(".")[0] in IGNORED or name in PLAIN]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, TypeError, AttributeError, LookupError) as error:
        allowed = {name for _, name in stand_ins}
        named = ", ".join(sorted(name for name in _foreign(path) if name not in allowed)) or "an unusual pickle"
        raise AsdError(f"{path}: contains more than weights ({named}): not opened; use the published file") from error


def _empty(*default: Any) -> OrderedDict:
    """Replace `collections.defaultdict`, ignoring its default factory."""
    return OrderedDict()


def _foreign(path: Path) -> list[str]:
    """Return the names in a file that PyTorch's restricted unpickler rejects, without unpickling anything."""
    with path.open("rb") as handle:
        if handle.read(4) != ZIPPED:
            return []  # the old format cannot be inspected; it is read without placeholders
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except pickle.UnpicklingError:
        return []  # operations that the restricted unpickler rejects as well; it raises the error


def float_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the floating-point tensors of a dictionary as float32, without its other entries."""
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}


def check_keys(source: str, weights: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]]) -> None:
    """Raise AsdError unless the weights have exactly the expected names and shapes.

    `source` names their origin in the message.
    """
    remedy = "use the checkpoint that this architecture was published with"
    for what, names in (
        ("missing", [name for name in expected if name not in weights]),
        ("unknown", [name for name in weights if name not in expected]),
    ):
        if names:
            raise AsdError(f"{source}: {names[0]}{and_more(names)} is {what}: {remedy}")
    for name, shape in expected.items():
        if tuple(weights[name].shape) != tuple(shape):
            found = " × ".join(map(str, weights[name].shape))
            raise AsdError(f"{source}: {name} is {found}, not {' × '.join(map(str, shape))}: {remedy}")
