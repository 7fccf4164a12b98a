"""Tests of reading published files: settings of frameworks are ignored, and files that could run code are refused."""

import argparse
import sys
import types
from collections import defaultdict
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.refusals import refused
from safetensors.torch import save_file

from asdlib.weights.published.files import check_keys, float_tensors, read_published

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(3)}


class Evil:
    """Pickles to code that creates a file when it is unpickled."""

    def __init__(self, made: Path):
        self.made = made

    def __reduce__(self):
        return eval, (f"open({str(self.made)!r}, 'w')",)


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes classes named as those of a framework, which is not installed when reading."""

    def class_of(module: str, name: str, *bases: type, **members: object) -> type:
        made = Enum(name, members) if bases == (Enum,) else type(name, bases, members)
        made.__module__ = module
        stand_in = types.ModuleType(module)
        setattr(stand_in, name, made)
        monkeypatch.setitem(sys.modules, module, stand_in)
        return made

    return class_of


def test_safetensors_and_both_forms_of_pytorch_files_are_read(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "a.safetensors")
    torch.save(WEIGHTS, tmp_path / "a.pt")
    torch.save(WEIGHTS, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "a.pt", "old.pt"):
        content = read_published(tmp_path / name)
        assert torch.equal(content["a.weight"], WEIGHTS["a.weight"]), name


def test_settings_of_a_training_framework_are_passed_over(tmp_path: Path, framework) -> None:
    config = framework("omegaconf", "DictConfig", object)()
    config.content = {"depth": 12, "names": ["a"]}
    choice = framework("fairseq", "Choice", Enum, FIRST="first")
    content = {
        "model": WEIGHTS,
        "cfg": {"model": config, "choice": choice.FIRST},
        "args": argparse.Namespace(epochs=3),
        "meters": defaultdict(list, {"loss": [1.0]}),
        "best": np.float64(0.5),
        "history": np.arange(3),
        "kinds": [dict, int],
    }
    torch.save(content, tmp_path / "a.pt")
    for module in ("omegaconf", "fairseq"):
        del sys.modules[module]
    read = read_published(tmp_path / "a.pt")
    assert torch.equal(read["model"]["a.weight"], WEIGHTS["a.weight"])
    assert read["meters"] == {"loss": [1.0]}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "a.pt"
    torch.save({"model": WEIGHTS, "extra": Evil(tmp_path / "made")}, path, _use_new_zipfile_serialization=zipped)
    refused(lambda: read_published(path), r".*a\.pt: contains more than weights \(.*\): not opened; use the .*")
    assert not (tmp_path / "made").exists()


def test_a_half_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:500])
    refused(lambda: read_published(path), r".*a\.pt: cannot be read as public weights \(.*\): fetch the file again")


def test_what_is_no_dictionary_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "a.pt")
    refused(lambda: read_published(tmp_path / "a.pt"), r".*a\.pt: contains a list, not weights by name: use .*")


def test_only_float_tensors_are_weights() -> None:
    content = {"half": torch.ones(2, dtype=torch.float16), "count": torch.tensor(1), "nested": {}}
    weights = float_tensors(content)
    assert list(weights) == ["half"]
    assert weights["half"].dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda weights: weights.pop("b"), "b is missing"),
        (lambda weights: [weights.pop("a"), weights.pop("b")], r"a \(and 1 more\) is missing"),
        (lambda weights: weights.update(c=torch.ones(1)), "c is unknown"),
        (lambda weights: weights.update(a=torch.ones(3, 2)), "a is 3 × 2, not 2 × 3"),
    ],
)
def test_every_key_is_checked(change, complaint: str) -> None:
    weights = {"a": torch.ones(2, 3), "b": torch.ones(4)}
    expected = {"a": (2, 3), "b": (4,)}
    check_keys("checkpoint", weights, expected)
    change(weights)
    refused(lambda: check_keys("checkpoint", weights, expected), f"checkpoint: {complaint}: use the checkpoint .*")
