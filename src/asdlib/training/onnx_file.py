"""Trained networks as ONNX files: from the features of one clip to its representations, checked against PyTorch.

The network is traced with one clip of the full length, so that is the only shape that the file takes. A file whose
results differ from PyTorch's for other clips than the traced one is not kept: a network whose path depends on what it
hears would otherwise be frozen on the path of the traced clip.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.data.files import atomic
from asdlib.data.listing import refuse_special
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch

OPSET = 18
TOLERANCE = 1e-4  # of PyTorch's value, or absolute if that is below 1
CLIPS = 3  # random clips with which a file is checked
INPUT, SCORE = "features", "anomaly_score"
# Backends whose score is a function of the representation alone, which is not fitted to training clips.
SIMPLE = ("reconstruction_error", "smallest_distance")


@dataclass
class Exported:
    """A network in evaluation mode on the CPU, the shape of a clip's features, and what the file shall return.

    `representation` is the one to return (None: all); with `score`, also its smallest value, the anomaly score.
    `outputs` are the names of what the network returns, known once it has been traced.
    """

    name: str
    network: nn.Module
    shape: tuple[int, ...]
    frames: int
    representation: str | None
    score: bool
    outputs: list[str] = field(default_factory=list)


class _Outputs(nn.Module):
    """A network as a function from features (1, …) to a tuple of float32 outputs."""

    def __init__(self, exported: Exported):
        super().__init__()
        self.network = exported.network
        self._exported = exported
        self._frames, self._target = torch.tensor([exported.frames]), torch.tensor([False])

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        found = self.network.embed(Batch(features, self._frames, self._target))
        chosen = self._exported.representation
        found = found if chosen is None else {chosen: found[chosen]}
        if self._exported.score:
            found = {**found, SCORE: found[chosen].amin(1)}
        self._exported.outputs = list(found)
        return tuple(one.float() for one in found.values())


def export(exported: Exported, out: Path, facts: dict[str, str]) -> tuple[str, float]:
    """Write a network to `out`; return the program with which it was checked, and the largest deviation from PyTorch.

    `facts` are stored in the file. Raises AsdError if the network cannot be exported, or if the file deviates by more
    than TOLERANCE.
    """
    onnx = _library()
    if getattr(exported.network, "conditional", False):
        raise AsdError(f"{exported.name}: cannot be exported: rules infer its condition: use `asdlib score`")
    function = _Outputs(exported).eval()
    clips = [_clip(exported, seed) for seed in range(CLIPS + 1)]
    with torch.no_grad(), _traceable():
        content = _traced(exported, function, clips[0])
    with torch.no_grad():
        expected = [[one.numpy() for one in function(clip)] for clip in clips[1:]]
    model = onnx.load_from_string(content)
    for name, text in facts.items():
        model.metadata_props.add(key=name, value=text)
    content = model.SerializeToString()
    try:
        used, run = _runner(onnx, content)
        found = [run(clip.numpy()) for clip in clips[1:]]
    except Exception as error:  # what runs the file raises whatever it meets
        raise _not_exportable(exported, error) from error
    deviation = max(_deviation(exported, *pair) for pair in zip(found, expected, strict=True))
    with atomic(out) as temporary:
        temporary.write_bytes(content)
    return used, deviation


def refuse_other(path: Path, known: set[str]) -> None:
    """Raise AsdError for a file that is not an earlier export: its metadata lack one of the `known` facts."""
    onnx = _library()
    refuse_special(path)
    try:
        found = {fact.key for fact in onnx.load(path, load_external_data=False).metadata_props}
    except Exception:  # not ONNX, or not to be read: the parser raises whatever it meets
        found = set()
    if not known <= found:
        raise AsdError(f"{path}: was not written by asdlib export: name another file, or remove it")


def _library() -> ModuleType:
    try:
        import onnx
    except ImportError as error:
        raise AsdError("onnx: is not installed: `.venv/bin/pip install -e '.[onnx]'`") from error
    return onnx


def _clip(exported: Exported, seed: int) -> Tensor:
    """Return noise; that of odd seeds has the opposite sign, so that clips differ in more than chance."""
    noise = torch.randn(1, *exported.shape, generator=torch.Generator().manual_seed(seed // 2))
    return noise if seed % 2 else -noise


def _traced(exported: Exported, function: _Outputs, clip: Tensor) -> bytes:
    """Return the ONNX file of a function as bytes."""
    function(clip)  # the names of the outputs
    file = io.BytesIO()
    try:
        torch.onnx.export(
            function, (clip,), file, dynamo=False, opset_version=OPSET, input_names=[INPUT],
            output_names=exported.outputs,
        )  # fmt: skip
    except Exception as error:  # the exporter raises whatever it meets
        raise _not_exportable(exported, error) from error
    return file.getvalue()


def _not_exportable(exported: Exported, error: Exception) -> AsdError:
    reason = " ".join(str(error).split())[:200]
    return AsdError(f"{exported.name}: cannot be exported to ONNX ({reason}): use `asdlib score`")


def _runner(onnx: ModuleType, content: bytes) -> tuple[str, Callable[[np.ndarray], list]]:
    """Return a program that runs an ONNX file: ONNX Runtime or, if that is not installed, ONNX's reference."""
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        reference = ReferenceEvaluator(onnx.load_from_string(content))
        return "ONNX's reference", lambda clip: reference.run(None, {INPUT: clip})
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return "ONNX Runtime", lambda clip: session.run(None, {INPUT: clip})


def _deviation(exported: Exported, found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Return the largest deviation, relative to values above 1; raise AsdError if it exceeds the tolerance."""
    largest = 0.0
    for name, one, other in zip(exported.outputs, found, expected, strict=True):
        deviation = float((np.abs(one - other) / np.maximum(1, np.abs(other))).max())
        if not deviation <= TOLERANCE:
            raise AsdError(
                f"{exported.name}: {name} deviates from PyTorch by {deviation:.2g}, more than {TOLERANCE:g}, so no "
                "file is written: use `asdlib score`"
            )
        largest = max(largest, deviation)
    return largest


@contextmanager
def _traceable() -> Iterator[None]:
    """Replace, while a network is traced, what ONNX has no operators for.

    Decompositions and inverses are those of weights, so they become constants. If one depended on the features, the
    check with other clips would find it.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            mock.patch.object(torch.linalg, "cholesky", _cholesky),
            mock.patch.object(torch.linalg, "solve_triangular", _solve),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # the exporter's: about itself, and about constants
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _cholesky(matrices: Tensor) -> Tensor:
    return torch.from_numpy(np.linalg.cholesky(matrices.numpy()))


def _solve(factors: Tensor, sides: Tensor, upper: bool) -> Tensor:
    return torch.from_numpy(np.linalg.inv(factors.numpy())) @ sides
