"""ONNX files of all models of the registry at toy size: the same results as PyTorch, or one line that says why not."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.model_toys import built, toy_clips, toy_of
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.models import MODELS
from asdlib.training.onnx_file import TOLERANCE, Exported, export

onnx = pytest.importorskip("onnx", reason="asdlib export is not tested: install the extra onnx")
REFUSED = {
    "adapted_beats": "cannot be exported to ONNX",
    "conditional_autoencoder": "rules infer its condition",
    "conditional_dense_autoencoder": "rules infer its condition",
    "dual_branch_cnn": "cannot be exported to ONNX",
    "dismae": "cannot be exported to ONNX",
}


def of_toy(kind: str, representation: str | None = None, score: bool = False) -> tuple[Exported, Tensor]:
    clips = toy_clips(toy_of(kind)[1])
    network = built(kind, clips).eval()
    if hasattr(network, "for_machine"):
        network.for_machine("fan")
    shape = tuple(clips.features.shape[1:])
    return Exported(kind, network, shape, shape[0], representation, score), clips.features


def results(path: Path, clip: Tensor) -> list[np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(onnx.load(path)).run(None, {"features": clip.numpy()})


@pytest.mark.parametrize("kind", sorted(MODELS.keys() - REFUSED.keys()))
def test_the_file_computes_what_the_network_does(tmp_path: Path, kind: str) -> None:
    exported, features = of_toy(kind)
    used, deviation = export(exported, tmp_path / "net.onnx", {"machine": "fan"})
    assert used in ("ONNX Runtime", "ONNX's reference")
    assert deviation <= TOLERANCE
    frames = torch.tensor([exported.frames])
    with torch.no_grad():
        expected = exported.network.embed(Batch(features[3:4], frames, torch.tensor([False])))
    assert exported.outputs == list(expected)
    for name, found in zip(expected, results(tmp_path / "net.onnx", features[3:4]), strict=True):
        np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=1e-4)
    model = onnx.load(tmp_path / "net.onnx")
    assert {one.key: one.value for one in model.metadata_props} == {"machine": "fan"}
    assert torch.backends.mha.get_fastpath_enabled()  # as before


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_be_exported_says_so_in_one_line_and_leaves_no_file(tmp_path: Path, kind: str) -> None:
    if "condition" in REFUSED[kind]:  # its toy is slow to survey, and refused before it is used
        assert MODELS[kind](**toy_of(kind)[0]).conditional
        exported = Exported(kind, Conditional(), (4, 3), 4, None, False)
    else:
        exported, _ = of_toy(kind)
    with pytest.raises(AsdError, match=rf"^{kind}: .*{REFUSED[kind]}.*: use `asdlib score`$") as error:
        export(exported, tmp_path / "net.onnx", {})
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_score_that_needs_no_fitting_is_an_output(tmp_path: Path) -> None:
    """The baseline's: the smaller of its two Mahalanobis distances."""
    exported, features = of_toy("dense_autoencoder", "mahalanobis", score=True)
    export(exported, tmp_path / "net.onnx", {})
    distances, score = results(tmp_path / "net.onnx", features[:1])
    assert exported.outputs == ["mahalanobis", "anomaly_score"]
    assert score == distances.min(1)


class Conditional(nn.Module):
    """A network with conditions."""

    conditional = True


class Hears(nn.Module):
    """A network that takes another path for clips that begin with a positive value."""

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        return {"mean": batch.features.mean((1, 2))[:, None] * (1 if float(batch.features[0, 0, 0]) > 0 else 2)}


def test_a_path_that_depends_on_the_clip_is_found_by_the_check(tmp_path: Path) -> None:
    exported = Exported("hears", Hears().eval(), (4, 3), 4, None, False)
    with pytest.raises(AsdError, match=r"^hears: mean deviates from PyTorch by .*, so no file is written"):
        export(exported, tmp_path / "net.onnx", {})
    assert not list(tmp_path.iterdir())


def test_without_the_library_the_command_that_installs_it_is_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(AsdError, match=r"^onnx: is not installed: `\.venv/bin/pip install -e '\.\[onnx\]'`$"):
        export(of_toy("dense_autoencoder")[0], tmp_path / "net.onnx", {})
