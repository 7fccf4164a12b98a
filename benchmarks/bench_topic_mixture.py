"""Benchmark of the readings of the dynamic topic mixture (docs/system5.md) on simulated embeddings.

    python benchmarks/bench_topic_mixture.py [--seeds 8]

A machine has clusters of normal clips with the weights of a design, two clusters of target clips, and anomalies that
are displaced in random directions. 990 + 10 clips are for training, and 100 for each label and domain for the test.
Every reading scores the same clips with the same baseline mixture. The figures are means over the seeds, in percent;
the first reading, the negative log-likelihood of the mixture, shows what the mixture itself can do.
"""

import argparse
import logging
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np
from measure import machine
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.evolving_mixture import evolved, mixture_divergence
from asdlib.backends.topic_mixture import TopicMixture
from asdlib.evaluation.figures import SINCE_2022
from asdlib.evaluation.metrics import section_areas

DESIGNS = {
    "six equal clusters": np.full(6, 1 / 6),
    "six clusters, 50 to 2 %": np.array([0.5, 0.25, 0.12, 0.07, 0.04, 0.02]),
    "twelve clusters, 40 to 0.1 %": 0.6 ** np.arange(12) / (0.6 ** np.arange(12)).sum(),
}
SIZE = 64  # of an embedding
SPREAD = 0.35 / np.sqrt(SIZE)  # of a cluster, compared to centres of length 1
SHIFT = 0.7 / np.sqrt(SIZE)  # of a target cluster from the source cluster beside it
LARGEST = 0.5  # displacement of an anomaly
TRAIN = (990, 10)  # source and target clips
TEST = 100  # clips per label and domain
WINDOWS = 8


@dataclass(frozen=True)
class Simulated:
    """Training embeddings and their domains, and test embeddings with their labels and domains."""

    train: np.ndarray
    train_domains: list[str]
    test: np.ndarray
    labels: np.ndarray
    domains: np.ndarray


def main() -> None:
    """Print one table per design."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    print(f"{machine()}, {options.seeds} seeds")
    for design, weights in DESIGNS.items():
        found: dict[str, list[list[float]]] = {}
        for seed in range(options.seeds):
            data = simulated(seed, weights)
            for reading, scores in readings(data, seed):
                areas = section_areas(SINCE_2022, data.labels, data.domains, scores)
                found.setdefault(reading, []).append([100 * value for value in areas])
        print(f"{design:40}{'AUC source':>12}{'AUC target':>12}{'pAUC':>8}")
        for reading, rows in found.items():
            means = np.mean(rows, axis=0)
            print(f"    {reading:36}{means[0]:12.1f}{means[1]:12.1f}{means[2]:8.1f}", flush=True)


def simulated(seed: int, weights: np.ndarray) -> Simulated:
    """Return the embeddings of a machine whose source clips form clusters with these weights."""
    rng = np.random.default_rng(seed)
    centres = _unit(rng.standard_normal((len(weights), SIZE)))
    shifted = centres[:2] + SHIFT * rng.standard_normal((2, SIZE))
    spectrum = np.exp(-np.arange(SIZE) / 12)  # most of the variance lies in few directions, others in each cluster
    spectrum *= SPREAD / np.sqrt((spectrum**2).mean())
    axes = [np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0] for _ in weights]

    def drawn(of: np.ndarray, shares: np.ndarray | None, count: int) -> np.ndarray:
        clusters = rng.choice(len(of), count, p=shares)
        noise = rng.standard_normal((count, SIZE)) * spectrum
        return of[clusters] + np.stack([row @ axes[k] for row, k in zip(noise, clusters, strict=True)])

    train = [drawn(centres, weights, TRAIN[0]), drawn(shifted, None, TRAIN[1])]
    test = [drawn(centres, weights, TEST), drawn(shifted, None, TEST)]
    for clips in (drawn(centres, weights, TEST), drawn(shifted, None, TEST)):
        lengths = rng.uniform(0, LARGEST, (TEST, 1))
        test.append(clips + lengths * _unit(rng.standard_normal(clips.shape)))
    domains = np.repeat(["source", "target"] * 2, TEST)
    train_domains = np.repeat(["source", "target"], TRAIN).tolist()
    return Simulated(
        _unit(np.concatenate(train)), train_domains, _unit(np.concatenate(test)), np.repeat([0, 1], 2 * TEST), domains
    )


def readings(data: Simulated, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each reading and its scores of the test clips."""
    train = Embeddings({"embedding": data.train}, data.train_domains, [{}] * len(data.train))
    test = Embeddings({"embedding": data.test})
    literal = TopicMixture(divergence="mixture", responsibilities="gaussian").fit(train)
    yield "-log-likelihood", _surprise(literal, data.test)
    yield "mixture, gaussian (literal)", literal.anomaly_score(test)
    yield "mixture, gaussian, held-out spread", _standardised(literal, train, test)
    yield f"mixture, gaussian, {WINDOWS} windows", _of_windows(literal, data.test, seed)
    for divergence, responsibilities in (
        ("mixture", "student_t"),
        ("components", "gaussian"),
        ("components", "student_t"),
    ):
        backend = copy(literal)  # the same baseline
        backend.divergence, backend.responsibilities = divergence, responsibilities
        yield f"{divergence}, {responsibilities}", backend.anomaly_score(test)


def _surprise(backend: TopicMixture, clips: np.ndarray) -> np.ndarray:
    vectors, mixture = backend.reduction_.transform(clips), backend.baseline_
    parts = zip(mixture.means, mixture.covariances, strict=True)
    logs = np.stack([multivariate_normal(*part).logpdf(vectors) for part in parts], axis=1)
    return -logsumexp(logs + np.log(mixture.weights), axis=1)


def _standardised(backend: TopicMixture, train: Embeddings, test: Embeddings) -> np.ndarray:
    """Return the scores, relative to the held-out clips of the component that is responsible.

    The few held-out clips of a light component are joined by five with the moments of all.
    """
    shares, new_shares = (
        backend._shares(backend.reduction_.transform(clips["embedding"].astype(float))) for clips in (train, test)
    )
    shares, normal = shares[backend.held_out_], backend.train_score_[backend.held_out_]
    counts = shares.sum(0) + 5
    mean = (shares.T @ normal + 5 * normal.mean()) / counts
    variance = ((shares * (normal[:, None] - mean) ** 2).sum(0) + 5 * normal.var()) / counts
    return (new_shares * (backend.anomaly_score(test)[:, None] - mean) / np.sqrt(variance)).sum(1)


def _of_windows(backend: TopicMixture, clips: np.ndarray, seed: int) -> np.ndarray:
    """Return the scores of mixtures that evolve from several embeddings of a clip, half as far apart as clips."""
    noise = 0.5 * SPREAD * np.random.default_rng(seed).standard_normal((len(clips), WINDOWS, SIZE))
    prior = backend.strength * backend.baseline_.weights
    scores = []
    for windows in clips[:, None] + noise:
        vectors = backend.reduction_.transform(_unit(windows))
        mixture = evolved(backend.baseline_, vectors, backend._shares(vectors), prior, diagonal=True)
        scores.append(mixture_divergence(mixture, backend.baseline_))
    return np.array(scores)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
