"""The dynamic topic mixture model (DtMM), which scores a clip by its effect on a mixture (report 5, §2.1.2).

The baseline mixture of a machine's normal clips is a Dirichlet process mixture, fitted by variational inference. A clip
updates the mixture, and its score is the divergence of the result from the baseline. docs/system5.md lists what the
report leaves open.
"""

import logging
from collections.abc import Sequence
from typing import Self

import numpy as np

from asdlib.backends.embeddings import Embeddings, names_of
from asdlib.backends.evolving_mixture import (
    Mixture,
    component_divergences,
    evolved,
    gaussian_shares,
    mixture_divergence,
    student_shares,
)
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.runtime.lean_imports import hidden

RANDOM_STATE = 0  # of the split into model and threshold set, and of the mixture's initialisation
REGULARISATION = 1e-3  # ours: added to variances; small compared to 1, their value after whitening
CLIPS_PER_DIMENSION = 4  # ours: with nearly as many dimensions as clips, whitening puts all clips equally far out
_log = logging.getLogger(__name__)


class TopicMixture:
    """The divergence of a clip's evolved mixture from the baseline mixture.

    `dimensions` is the number of whitened principal components; a small model set uses fewer. `components` is the
    largest number of components of the Dirichlet process; components with less than `smallest_weight` are dropped.
    `threshold_share` is the share of the training clips that is held out for the threshold, which is their mean score
    plus `deviations` standard deviations; if there are too few clips to hold out two, the baseline is fitted to all of
    them, and the threshold to the scores of each clip when it alone is left out.
    `covariance` is diag or full, `responsibilities` gaussian or student_t.

    `divergence` is components or mixture. With components, every component of the baseline counts as `strength`
    vectors, and the score is the sum of the divergences of matching components: weights have no part in it. With
    mixture, the whole baseline counts as `strength` vectors, and the score is the divergence of the two mixtures. Light
    components then change more than heavy ones, so that any clip near a light component scores high.

    Attributes after `fit`: `held_out_`, (N,), True for the threshold set; `reduction_`, the whitened principal
    components; `baseline_`, a `Mixture`; `train_score_`; `threshold_`; `left_out_score_`, the scores of the training
    clips by mixtures of other clips: of as many parts as the held-out share allows, each scored by the rest.
    """

    def __init__(
        self,
        representation: str = "embedding",
        dimensions: int = 32,
        components: int = 16,
        covariance: str = "diag",
        smallest_weight: float = 0.005,
        strength: float = 10.0,
        divergence: str = "components",
        responsibilities: str = "student_t",
        threshold_share: float = 0.2,
        deviations: float = 3.0,
    ):
        self.representation = representation
        self.dimensions = dimensions
        self.components = components
        self.covariance = covariance
        self.smallest_weight = smallest_weight
        self.strength = strength
        self.divergence = divergence
        self.responsibilities = responsibilities
        self.threshold_share = threshold_share
        self.deviations = deviations

    def fit(self, train: Embeddings) -> Self:
        """Learn the baseline mixture from the model set and the threshold from the rest of the training clips."""
        self._refuse_unknown_words()
        self.refuse(train.domains)
        parts = _parts(train.domains, self.threshold_share)
        alone = parts.max() == len(parts) - 1  # each clip is a part
        self.held_out_ = np.zeros(len(parts), bool) if alone else parts == 0
        embeddings = train[self.representation].astype(np.float64)
        self.left_out_score_ = self._left_out(embeddings, parts)
        self._fit_baseline(embeddings[~self.held_out_])
        self._warn_of_few(embeddings[~self.held_out_])
        self.train_score_ = self.anomaly_score(train)
        normal = self.left_out_score_ if alone else self.train_score_[self.held_out_]
        self.threshold_ = float(normal.mean() + self.deviations * normal.std())
        return self

    def fit_known(self, train: Embeddings) -> Self:
        """Learn the baseline mixture from all clips, without a threshold (asdlib.scoring.left_out)."""
        self.refuse(train.domains)
        self._fit_baseline(train[self.representation].astype(np.float64))
        return self

    @staticmethod
    def refuse(domains: Sequence[str | None]) -> None:
        """Raise TooFewClipsError if not even two clips are left when one is taken out."""
        if len(domains) < 3:
            few = f"{len(domains)} training clips are too few"
            raise TooFewClipsError(f"backend topic_mixture: {few} to leave one out: add some")

    def _left_out(self, embeddings: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return the scores of the clips of each part by a mixture of all others."""
        scores = np.empty(len(parts))
        for part in range(parts.max() + 1):
            self._fit_baseline(embeddings[parts != part])
            scores[parts == part] = self.anomaly_score(Embeddings({self.representation: embeddings[parts == part]}))
        return scores

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        """Return one score per clip, (N,); a higher score is more anomalous."""
        vectors = self.reduction_.transform(test[self.representation].astype(np.float64))
        by_component = self.divergence == "components"
        prior = self.strength * (np.ones_like(self.baseline_.weights) if by_component else self.baseline_.weights)
        clips = zip(vectors[:, None], self._shares(vectors)[:, None], strict=True)  # one vector each: (1, D), (1, K)
        mixtures = (evolved(self.baseline_, *clip, prior, self.covariance == "diag") for clip in clips)
        distance = _sum_of_divergences if by_component else mixture_divergence
        return np.array([max(distance(mixture, self.baseline_), 0.0) for mixture in mixtures])  # but for rounding

    def _fit_baseline(self, embeddings: np.ndarray) -> None:
        with hidden("pandas"):  # scikit-learn takes a second, and other backends do without it
            from sklearn.decomposition import PCA
            from sklearn.mixture import BayesianGaussianMixture

        size = self._size(*embeddings.shape)
        self.reduction_ = PCA(size, whiten=True, svd_solver="full").fit(embeddings)
        fitted = BayesianGaussianMixture(
            n_components=min(self.components, len(embeddings)),
            covariance_type=self.covariance,
            weight_concentration_prior_type="dirichlet_process",
            weight_concentration_prior=1 / self.components,  # ours: below 1, which favours few components
            reg_covar=REGULARISATION,
            init_params="kmeans",
            n_init=3,  # ours: a single start can end in a bad optimum
            max_iter=500,  # ours: scikit-learn's 100 can end before convergence
            random_state=RANDOM_STATE,
        ).fit(self.reduction_.transform(embeddings))
        kept = fitted.weights_ > self.smallest_weight
        weights = fitted.weights_[kept] / fitted.weights_[kept].sum()
        covariances = fitted.covariances_[kept]
        if self.covariance == "diag":
            covariances = covariances[:, :, None] * np.eye(size)
        self.baseline_ = Mixture(weights, fitted.means_[kept], covariances)
        self._precision, self._degrees = fitted.mean_precision_[kept], fitted.degrees_of_freedom_[kept]

    def _size(self, clips: int, width: int) -> int:
        """Return the number of dimensions to which the embeddings (clips, width) of the model set are reduced."""
        return max(1, min(self.dimensions, clips // CLIPS_PER_DIMENSION, width))

    def _warn_of_few(self, embeddings: np.ndarray) -> None:
        size = self._size(*embeddings.shape)
        if size < self.dimensions:
            _log.warning(
                "backend topic_mixture: %d dimensions instead of %d: the model set has %d clips of %d values, and a "
                "dimension needs %d clips", size, self.dimensions, *embeddings.shape, CLIPS_PER_DIMENSION,
            )  # fmt: skip

    def _shares(self, vectors: np.ndarray) -> np.ndarray:
        """Return the responsibilities of the baseline's components for vectors (N, D), (N, K)."""
        if self.responsibilities == "gaussian":
            return gaussian_shares(self.baseline_, vectors)
        degrees = self._degrees + 1 - vectors.shape[1]
        factors = (1 + self._precision) / (self._precision * degrees) * self._degrees
        return student_shares(self.baseline_, factors[:, None, None] * self.baseline_.covariances, degrees, vectors)

    def _refuse_unknown_words(self) -> None:
        allowed = {
            "covariance": ("diag", "full"),
            "divergence": ("components", "mixture"),
            "responsibilities": ("gaussian", "student_t"),
        }
        for name, words in allowed.items():
            if getattr(self, name) not in words:
                raise AsdError(f"backend topic_mixture: {name} {getattr(self, name)!r}: use {' or '.join(words)}")


def _sum_of_divergences(new: Mixture, baseline: Mixture) -> float:
    return float(component_divergences(new, baseline).sum())


def _parts(domains: list[str | None], share: float) -> np.ndarray:
    """Return the part of each clip, (N,): every part has about a `share` of the clips of every domain, at random.

    The parts have one clip each if part 0, the threshold set, would have fewer than two clips, or the rest would.
    """
    parts = np.empty(len(domains), dtype=np.int64)
    rng = np.random.default_rng(RANDOM_STATE)
    names = names_of(domains)
    for domain in np.unique(names):
        rows = rng.permutation(np.flatnonzero(names == domain))
        held_out = round(share * len(rows))
        others = np.arange(len(rows) - held_out)
        parts[rows] = [*np.zeros(held_out, int), *(1 + others % max(1, round(1 / share) - 1))]
    if min((parts == 0).sum(), (parts > 0).sum()) >= 2:
        return np.unique(parts, return_inverse=True)[1]
    return np.arange(len(parts))
