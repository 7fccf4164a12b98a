"""The formats of public weights: recognised by their first bytes, and nothing else is."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from asdlib.weights.published.formats import is_pickled, is_weights

OTHERS = {
    "page": b"<!DOCTYPE html><html>Sign in</html>",
    "JSON": b'{"error": "quota exceeded"}',
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:8d1b\nsize 361499833\n",
    "empty": b"",
    "header that is a list": (2).to_bytes(8, "little") + b"[]",
    "header without an end": (2).to_bytes(8, "little") + b'{"',
    "header longer than the file": (99).to_bytes(8, "little") + b"{}",
    "no header": bytes(8),
    "deep header": (100_000).to_bytes(8, "little") + b"[" * 100_000,
}


@pytest.mark.parametrize("old", [False, True], ids=["zipped", "before 1.6"])
def test_pytorch_s_files_are_weights(tmp_path: Path, old: bool) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    assert is_pickled(tmp_path / "a.pth")
    assert is_weights(tmp_path / "a.pth")


def test_safetensors_are_weights(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "a.safetensors")
    assert not is_pickled(tmp_path / "a.safetensors")
    assert is_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_others_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not is_weights(tmp_path / "a")
