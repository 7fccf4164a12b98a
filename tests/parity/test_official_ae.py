"""Parity with the official autoencoder baseline: features, network, scatter, scores, thresholds."""

import csv
import json

import numpy as np
import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.smallest_distance import SmallestDistance
from asdlib.backends.thresholds import gamma_quantile
from asdlib.data.recordings import read_wav
from asdlib.examples.clips import Batch
from asdlib.frontends.log_mel import LogMel
from asdlib.models.dense_autoencoder import DenseAutoencoder

FOLDER = golden("official_ae")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
FEATURES = load_file(FOLDER / "features.safetensors")
FORWARD = load_file(FOLDER / "forward.safetensors")
CLIPS = sorted(EXPECTED["clips"])


@pytest.fixture(scope="module")
def frontend() -> LogMel:
    """The frontend with the golden's own parameters."""
    given = EXPECTED["feature_parameters"]
    return LogMel(given["n_fft"], given["hop_length"], given["n_mels"], given["power"])


@pytest.fixture(scope="module")
def network() -> DenseAutoencoder:
    """The golden's network, built for its parameters and loaded without translating a name."""
    given = EXPECTED["feature_parameters"]
    weights = load_file(FOLDER / "model.safetensors")
    sizes = {"hidden": weights["encoder.0.weight"].shape[0], "latent": weights["encoder.12.weight"].shape[0]}
    built = DenseAutoencoder(frames=given["n_frames"], bands=given["n_mels"], **sizes)
    built.load_state_dict(weights, strict=True)
    return built.eval()


def log_mel(name: str, frontend: LogMel) -> torch.Tensor:
    """The log-mel of one of the golden's recordings, (frames, bands)."""
    samples = read_wav(FOLDER / "wav" / name, frontend.sample_rate)
    return frontend(torch.from_numpy(samples.astype(np.float32) / 32768.0)[None])[0]


def vectors(mel: torch.Tensor, frames: int = 5) -> torch.Tensor:
    """All vectors of consecutive frames, oldest first."""
    return mel.unfold(0, frames, 1).transpose(1, 2).reshape(-1, frames * mel.shape[1])


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_features(name: str, frontend: LogMel) -> None:
    ours = vectors(log_mel(name, frontend))
    assert ours.shape == FEATURES[name].shape
    assert (ours - FEATURES[name]).abs().max() <= 1e-4  # dB


def test_a_clip_of_four_frames_has_no_vector(frontend: LogMel) -> None:
    mel = log_mel("extra_four_frames.wav", frontend)
    assert len(mel) == 4
    assert EXPECTED["features"]["extra_four_frames.wav"]["vectors_shape"] == [0, 640]


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_forward(name: str, network: DenseAutoencoder) -> None:
    with torch.no_grad():
        latent = network.encoder(FEATURES[name])
        recon = network(FEATURES[name])
    for ours, theirs in ((latent, FORWARD[f"{name}/latent"]), (recon, FORWARD[f"{name}/recon"])):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_residual_scatter(network: DenseAutoencoder) -> None:
    theirs = load_file(FOLDER / "covariance.safetensors")
    count = sum(name.endswith("/x") for name in theirs)
    batches = [
        Batch(x, torch.ones(len(x), dtype=torch.int64), theirs[f"batch_{i}/is_target"].bool())
        for i in range(count)
        for x in [theirs[f"batch_{i}/x"]]
    ]
    with torch.no_grad():
        source, target = network.residual_scatter(batches)
    for ours, name in ((source, "cov_source"), (target, "cov_target")):
        assert (ours - theirs[name]).abs().max() <= 1e-5 * theirs[name].abs().max()


def embedded(name: str, frontend: LogMel, network: DenseAutoencoder) -> dict[str, np.ndarray]:
    """The two representations of one recording."""
    mel = log_mel(name, frontend)
    batch = Batch(mel[None], torch.tensor([len(mel)]), torch.tensor([False]))
    return {key: value.numpy() for key, value in network.embed(batch).items()}


@pytest.mark.parametrize("name", CLIPS)
def test_scores(name: str, frontend: LogMel, network: DenseAutoencoder) -> None:
    theirs = EXPECTED["clips"][name]
    ours = embedded(name, frontend, network)
    assert ours["mse"][0, 0] == pytest.approx(theirs["mse"], rel=1e-5)
    assert ours["mahalanobis"][0] == pytest.approx([theirs["mahala_source"], theirs["mahala_target"]], rel=1e-5)
    backend = SmallestDistance("mahalanobis")
    assert backend.anomaly_score(Embeddings(ours))[0] == pytest.approx(theirs["mahala"], rel=1e-5)


def test_gamma_threshold() -> None:
    fit = EXPECTED["gamma_fit"]
    threshold = next(value for key, value in fit.items() if key.startswith("threshold"))
    assert gamma_quantile(np.array(fit["sample"]), 0.9) == pytest.approx(threshold, rel=1e-5)


@pytest.mark.parametrize(("mode", "representation"), [("MSE", "mse"), ("MAHALA", "mahalanobis")])
def test_official_files(mode: str, representation: str, frontend: LogMel, network: DenseAutoencoder) -> None:
    """The scores and decisions that the official code wrote for the same recordings, weights and threshold."""
    threshold = EXPECTED["gamma_of_this_run"][{"MSE": "mse", "MAHALA": "mahala"}[mode]]["threshold_q0.9"]
    scores = dict(_rows(FOLDER / "expected" / f"{mode}_anomaly_score.csv"))
    decisions = dict(_rows(FOLDER / "expected" / f"{mode}_decision_result.csv"))
    assert scores.keys() == decisions.keys()
    for name, score in scores.items():
        ours = SmallestDistance(representation).anomaly_score(Embeddings(embedded(name, frontend, network)))[0]
        assert ours == pytest.approx(float(score), rel=1e-5)
        assert (ours > threshold) == bool(int(decisions[name]))


def _rows(path) -> list[list[str]]:
    with path.open() as handle:
        return list(csv.reader(handle))
