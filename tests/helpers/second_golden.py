"""A second golden derived from each stored one, so that no parity test depends on accidents of its data.

The reference code is not available here, but its output for some other inputs follows from the stored output: for a
batch that contains everything twice, for classes in another order, for a kernel with additional taps of zero. Every
parity test runs on both goldens, so that an assumption fails on one of them.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.golden import Golden, golden
from safetensors.torch import save_file
from torch import Tensor

Tensors = dict[str, Tensor]
Change = Callable[[dict[str, Any], Tensors, Tensors], None]  # of config, inputs and outputs, weights, in place


def goldens(*names: str, second: Change) -> Callable:
    """Return a fixture `case`: the goldens of these names, each as it is and as `second` makes it."""

    def change(folder: Path) -> None:
        case = Golden.read(folder)
        second(case.config, case.io, case.weights)
        _write(case)

    @pytest.fixture(scope="module", **_params(names))
    def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Golden:
        return Golden.read(_folder(request, tmp_path_factory, change))

    return case


def golden_folders(*names: str, second: Callable[[Path], None]) -> Callable:
    """Return a fixture `folder`, for goldens of another form: `second` changes the files of a copy."""

    @pytest.fixture(scope="module", **_params(names))
    def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return _folder(request, tmp_path_factory, second)

    return folder


def repeat(io: Tensors, names: Iterable[str], axis: int = 0, times: int = 2) -> None:
    """Let the batch of these tensors be followed by itself."""
    for name in names:
        io[name] = torch.cat([io[name]] * times, axis)


def fewer(io: Tensors, prefix: str) -> None:
    """Leave out the first of several tensors whose names begin with a prefix."""
    first, *others = [name for name in io if name.startswith(prefix)]
    if others:
        del io[first]


def _params(names: tuple[str, ...]) -> dict[str, list]:
    kinds = [(name, derived) for name in names for derived in (False, True)]
    return {"params": kinds, "ids": [f"{name}-{'derived' if derived else 'given'}" for name, derived in kinds]}


def _folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, second: Callable[[Path], None]
) -> Path:
    name, derived = request.param
    if not derived:
        return golden(name)
    folder = tmp_path_factory.mktemp("second") / name
    shutil.copytree(golden(name), folder)
    second(folder)
    return folder


def _write(case: Golden) -> None:
    """Write a changed golden over its files; its config says what it then holds."""
    listed = "tensors" if "tensors" in case.config else "io_tensors"
    case.config[listed] = {
        name: {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
        for name, tensor in case.io.items()
    }
    (case.folder / "config.json").write_text(json.dumps(case.config, indent=1))
    for name, tensors in (("io", case.io), ("weights", case.weights)):
        if tensors:
            save_file({key: tensor.clone().contiguous() for key, tensor in tensors.items()},
                      case.folder / f"{name}.safetensors")  # fmt: skip
