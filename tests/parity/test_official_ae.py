"""Parity with the official autoencoder baseline: features, network, residual scatter, scores and thresholds."""

import csv
import json
import re
import shutil
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.second_golden import golden_folders
from safetensors.torch import load_file, save_file
from torch import Tensor

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.smallest_distance import SmallestDistance
from asdlib.backends.thresholds import gamma_quantile
from asdlib.data.recordings import read_audio
from asdlib.examples.clips import Batch
from asdlib.frontends.log_mel import LogMel
from asdlib.models.dense_autoencoder import DenseAutoencoder

FIXED = {"fmax": None, "fmin": 0.0, "win_length": None, "mono": True}  # parameters of librosa
REPRESENTATIONS = {"mse": "mse", "mahala": "mahalanobis"}
LINEAR = r"encoder\.(\d+)\.weight"  # also matches norms, whose weights have one axis
THRESHOLD = r"threshold_q(0\.\d+)"


def second(folder: Path) -> None:
    """Change the names and the section of the recordings; remove one of them."""
    left_out = sorted(json.loads((folder / "expected.json").read_text())["clips"])[-1]

    def other(name: str) -> str:
        return name.replace("section_00", "section_03").replace("extra_", "more_")

    expected = json.loads((folder / "expected.json").read_text())
    for part in ("features", "clips"):
        expected[part] = {other(name): value for name, value in expected[part].items() if name != left_out}
    (folder / "expected.json").write_text(json.dumps(expected))
    for part in ("features", "forward"):
        tensors = load_file(folder / f"{part}.safetensors")
        kept = {other(name): value for name, value in tensors.items() if name.split("/")[0] != left_out}
        save_file(kept, folder / f"{part}.safetensors")
    for path in (folder / "wav").iterdir():
        shutil.move(path, path.with_name(other(path.name)))
    for path in (folder / "expected").glob("*.csv"):
        lines = [other(line) for line in path.read_text().splitlines() if not line.startswith(left_out)]
        path.write_text("\n".join(re.sub("^00,", "03,", line) for line in lines) + "\n")


folder = golden_folders("official_ae", second=second)


@dataclass(frozen=True)
class Baseline:
    """The golden's files, and our frontend and network with the golden's parameters."""

    folder: Path
    expected: dict[str, Any]
    network: DenseAutoencoder

    def log_mel(self, name: str) -> Tensor:
        """Return the log-mel of one of the golden's recordings, (frames, bands)."""
        given, path = self.expected["feature_parameters"], self.folder / "wav" / name
        assert {key: given[key] for key in FIXED} == FIXED
        with wave.open(str(path)) as recording:
            rate = recording.getframerate()
        frontend = LogMel(given["n_fft"], given["hop_length"], given["n_mels"], given["power"], rate)
        samples = read_audio(path, rate)
        return frontend(torch.from_numpy(samples.astype(np.float32) / 32768.0)[None])[0]

    def embedded(self, name: str) -> dict[str, np.ndarray]:
        """Return both representations of a recording."""
        mel = self.log_mel(name)
        batch = Batch(mel[None], torch.tensor([len(mel)]), torch.tensor([False]))
        return {key: value.numpy() for key, value in self.network.embed(batch).items()}


@pytest.fixture
def baseline(folder: Path) -> Baseline:
    """Return the golden's files and our network with its weights, loaded strictly under their published names."""
    expected = json.loads((folder / "expected.json").read_text())
    given = expected["feature_parameters"]
    weights = load_file(folder / "model.safetensors")
    widths = {int(found[1]): len(weights[name]) for name in weights if (found := re.fullmatch(LINEAR, name))
              if weights[name].dim() == 2}  # fmt: skip
    hidden, latent = widths[min(widths)], widths[max(widths)]
    built = DenseAutoencoder(frames=given["n_frames"], bands=given["n_mels"], hidden=hidden, latent=latent)
    built.load_state_dict(weights, strict=True)
    return Baseline(folder, expected, built.eval())


def test_features(baseline: Baseline) -> None:
    """A vector has consecutive frames, oldest first; a recording with too few frames has no vectors."""
    stored, frames = load_file(baseline.folder / "features.safetensors"), baseline.network.frames
    assert stored
    for name, facts in baseline.expected["features"].items():
        mel = baseline.log_mel(name)
        if len(mel) < frames:
            assert facts["vectors_shape"][0] == 0
            continue
        ours = mel.unfold(0, frames, 1).transpose(1, 2).reshape(-1, frames * mel.shape[1])
        assert list(ours.shape) == facts["vectors_shape"]
        if name in stored:
            assert (ours - stored[name]).abs().max() <= 1e-4  # dB


@torch.no_grad()
def test_forward(baseline: Baseline) -> None:
    forward = load_file(baseline.folder / "forward.safetensors")
    assert forward
    for name, vectors in load_file(baseline.folder / "features.safetensors").items():
        outputs = {"latent": baseline.network.encoder(vectors), "recon": baseline.network(vectors)}
        for part, ours in outputs.items():
            theirs = forward[f"{name}/{part}"]
            assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@torch.no_grad()
def test_residual_scatter(baseline: Baseline) -> None:
    theirs = load_file(baseline.folder / "covariance.safetensors")
    batches = []
    for number in range(sum(name.endswith("/x") for name in theirs)):
        vectors, target = theirs[f"batch_{number}/x"], theirs[f"batch_{number}/is_target"].bool()
        batches.append(Batch(vectors, torch.ones(len(vectors), dtype=torch.int64), target))
    source, target = baseline.network.residual_scatter(batches)
    for ours, name in ((source, "cov_source"), (target, "cov_target")):
        assert (ours - theirs[name]).abs().max() <= 1e-5 * theirs[name].abs().max()


def test_scores(baseline: Baseline) -> None:
    assert baseline.expected["clips"]
    for name, theirs in baseline.expected["clips"].items():
        ours = baseline.embedded(name)
        assert ours["mse"][0, 0] == pytest.approx(theirs["mse"], rel=1e-5)
        assert ours["mahalanobis"][0] == pytest.approx([theirs["mahala_source"], theirs["mahala_target"]], rel=1e-5)
        score = SmallestDistance("mahalanobis").anomaly_score(Embeddings(ours))[0]
        assert score == pytest.approx(theirs["mahala"], rel=1e-5)


def threshold(fit: dict[str, Any]) -> tuple[float, float]:
    """Return the quantile, which is part of the name, and the threshold of a fitted gamma distribution."""
    ((name, value),) = [item for item in fit.items() if re.fullmatch(THRESHOLD, item[0])]
    return float(re.fullmatch(THRESHOLD, name)[1]), value


def test_gamma_threshold(baseline: Baseline) -> None:
    fit = baseline.expected["gamma_fit"]
    quantile, theirs = threshold(fit)
    assert gamma_quantile(np.array(fit["sample"]), quantile) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("mode", REPRESENTATIONS)
def test_official_files(mode: str, baseline: Baseline) -> None:
    """The official code wrote these scores and decisions for the same recordings, weights and threshold."""
    _, limit = threshold(baseline.expected["gamma_of_this_run"][mode])
    scores, decisions = (
        dict(_rows(baseline.folder / "expected" / f"{mode.upper()}_{kind}.csv"))
        for kind in ("anomaly_score", "decision_result")
    )
    assert scores
    assert scores.keys() == decisions.keys()
    backend = SmallestDistance(REPRESENTATIONS[mode])
    for name, score in scores.items():
        ours = backend.anomaly_score(Embeddings(baseline.embedded(name)))[0]
        assert ours == pytest.approx(float(score), rel=1e-5)
        assert (ours > limit) == bool(int(decisions[name]))


def _rows(path: Path) -> list[list[str]]:
    with path.open() as handle:
        return list(csv.reader(handle))
