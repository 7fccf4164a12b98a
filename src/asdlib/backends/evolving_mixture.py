"""Gaussian mixtures that evolve with new vectors, for the dynamic topic mixture model (report 5, §2.1.2).

The order of the components is fixed: component k of an evolved mixture evolves from component k of the baseline, like
the topics in D. M. Blei and J. D. Lafferty, "Dynamic topic models", ICML 2006.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Weights (K,), means (K, D) and covariances (K, D, D) of Gaussian components."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


def evolved(
    baseline: Mixture, vectors: np.ndarray, shares: np.ndarray, prior: np.ndarray, diagonal: bool = False
) -> Mixture:
    """Return the baseline, updated with new vectors (n, D); each component counts as much as `prior` (K,) vectors.

    `shares` (n, K) are the components' responsibilities for the vectors. The update is the maximum of the posterior
    with the baseline as the prior; with a prior proportional to the weights, nothing changes without vectors. With
    `diagonal`, covariances stay diagonal.
    """
    counts = shares.sum(0)
    total = prior + counts
    # Avoid 0 / 0 for a component without responsibility, whose centre has no effect.
    centres = shares.T @ vectors / np.maximum(counts, np.finfo(float).tiny)[:, None]
    offsets = vectors[None] - centres[:, None]  # (K, n, D)
    scatter = np.einsum("nk,knd,kne->kde", shares, offsets, offsets)
    drift = centres - baseline.means
    scatter += (prior * counts / total)[:, None, None] * np.einsum("kd,ke->kde", drift, drift)
    if diagonal:
        scatter *= np.eye(scatter.shape[1])
    return Mixture(
        total / total.sum(),
        baseline.means + (counts / total)[:, None] * drift,
        (prior[:, None, None] * baseline.covariances + scatter) / total[:, None, None],
    )


def mixture_divergence(new: Mixture, baseline: Mixture) -> float:
    """Return Σ p (ln p/π + KL of the components), an upper bound on KL(new ‖ baseline), 0 for equal mixtures."""
    weights = np.log(new.weights / baseline.weights)
    return float(new.weights @ (weights + component_divergences(new, baseline)))


def component_divergences(new: Mixture, baseline: Mixture) -> np.ndarray:
    """Return KL(N(m', S') ‖ N(m, S)) of matching components, (K,)."""
    inverse = np.linalg.inv(baseline.covariances)
    drift = new.means - baseline.means
    traces = np.einsum("kde,ked->k", inverse, new.covariances)
    distances = np.einsum("kd,kde,ke->k", drift, inverse, drift)
    volumes = np.linalg.slogdet(baseline.covariances)[1] - np.linalg.slogdet(new.covariances)[1]
    return 0.5 * (traces + distances - drift.shape[1] + volumes)


def gaussian_shares(mixture: Mixture, vectors: np.ndarray) -> np.ndarray:
    """Return the components' responsibilities for vectors (n, D), (n, K)."""
    from scipy.special import softmax  # takes a fifth of a second, and other backends do without it

    distances, volumes = _distances(vectors, mixture.means, mixture.covariances)
    return softmax(np.log(mixture.weights) - 0.5 * (distances + volumes), axis=1)


def student_shares(mixture: Mixture, scales: np.ndarray, degrees: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the responsibilities (n, K) of t distributions with `scales` (K, D, D) and `degrees` of freedom (K,).

    These are the predictive densities of components whose parameters are uncertain; they have heavier tails.
    """
    from scipy.special import gammaln, softmax

    size = vectors.shape[1]
    distances, volumes = _distances(vectors, mixture.means, scales)
    constants = gammaln((degrees + size) / 2) - gammaln(degrees / 2) - 0.5 * (size * np.log(degrees * np.pi) + volumes)
    densities = constants - 0.5 * (degrees + size) * np.log1p(distances / degrees)
    return softmax(np.log(mixture.weights) + densities, axis=1)


def _distances(vectors: np.ndarray, means: np.ndarray, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return squared Mahalanobis distances (n, K) and log determinants (K,)."""
    offsets = vectors[:, None] - means  # (n, K, D)
    distances = np.einsum("nkd,kde,nke->nk", offsets, np.linalg.inv(matrices), offsets, optimize=True)
    return distances, np.linalg.slogdet(matrices)[1]
