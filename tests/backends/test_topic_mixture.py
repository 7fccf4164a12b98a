"""The dynamic topic mixture: baseline, threshold and split; test_evolving_mixture.py tests the mixtures."""

import logging

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.metrics import roc_auc_score
from sklearn.mixture import BayesianGaussianMixture

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.evolving_mixture import component_divergences, evolved
from asdlib.backends.topic_mixture import TopicMixture
from asdlib.errors import AsdError

CENTRES = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0]])


def clips(count: int = 120, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    """Return embeddings around three centres; the last tenth is of the target domain."""
    rng = np.random.default_rng(seed)
    return CENTRES[np.arange(count) % 3] + spread * rng.standard_normal((count, 5))


def train(embeddings: np.ndarray) -> Embeddings:
    count = len(embeddings)
    domains = ["target" if row >= 0.9 * count else "source" for row in range(count)]
    return Embeddings({"embedding": embeddings}, domains, [{}] * count)


def fitted(**arguments) -> TopicMixture:
    return TopicMixture(**({"dimensions": 4} | arguments)).fit(train(clips()))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"covariance": "full"}, {"responsibilities": "gaussian"}, {"divergence": "mixture"}],
    ids=str,
)
def test_strange_clips_score_higher(arguments: dict) -> None:
    backend = fitted(**arguments)
    normal, strange = clips(seed=1), clips(seed=1) + np.array([0, 0, 0, 1.0, 1.0])
    scores = [backend.anomaly_score(Embeddings({"embedding": each})) for each in (normal, strange)]
    assert scores[1].min() > np.median(scores[0])
    assert (scores[1] > backend.threshold_).mean() > 0.95
    assert (scores[0] > backend.threshold_).mean() < 0.1
    assert min(scores[0].min(), scores[1].min()) >= 0


def test_the_dirichlet_process_uses_as_many_components_as_there_are() -> None:
    baseline = fitted().baseline_
    assert len(baseline.weights) == 3
    assert baseline.weights.sum() == pytest.approx(1)
    assert (baseline.covariances[:, ~np.eye(4, dtype=bool)] == 0).all()


def test_light_components_are_dropped_and_the_rest_share_their_weight() -> None:
    few = clips()[[row for row in range(120) if row % 3 or row < 30]]  # 10 of 90 around the first centre
    assert (TopicMixture(dimensions=4).fit(train(few)).baseline_.weights < 0.2).any()
    baseline = TopicMixture(dimensions=4, smallest_weight=0.2).fit(train(few)).baseline_
    assert baseline.weights.tolist() == pytest.approx([0.5, 0.5], abs=0.05)


def test_the_threshold_is_that_of_clips_the_mixture_has_not_seen() -> None:
    backend = fitted(deviations=2.0)
    held_out = backend.held_out_
    assert held_out[:108].sum() == round(0.2 * 108)  # of each domain
    assert held_out[108:].sum() == round(0.2 * 12)
    normal = backend.train_score_[held_out]
    assert backend.threshold_ == pytest.approx(normal.mean() + 2 * normal.std())


def test_the_baseline_is_fitted_to_the_model_set_alone() -> None:
    backend = fitted()
    changed = clips()
    changed[backend.held_out_] += 5
    again = TopicMixture(dimensions=4).fit(train(changed))
    np.testing.assert_array_equal(again.baseline_.means, backend.baseline_.means)
    assert again.threshold_ > backend.threshold_


def test_every_clip_is_scored_by_a_mixture_of_others() -> None:
    """A clip far from all others changes no mixture that scores it; the part of the threshold set is scored as ever."""
    backend = fitted()
    np.testing.assert_allclose(
        backend.left_out_score_[backend.held_out_], backend.train_score_[backend.held_out_], rtol=1e-9
    )
    far = clips()
    far[7] += 50
    again = TopicMixture(dimensions=4).fit(train(far))
    assert again.left_out_score_[7] > 10 * np.median(again.left_out_score_)


@pytest.mark.parametrize("count", [3, 6])
def test_of_few_clips_each_is_left_out_alone(count: int) -> None:
    few = clips(count=count)
    backend = TopicMixture(dimensions=4).fit(train(few))
    assert not backend.held_out_.any()
    for clip in range(count):
        without = TopicMixture(dimensions=4)
        without._fit_baseline(np.delete(few, clip, axis=0))
        score = without.anomaly_score(Embeddings({"embedding": few[[clip]]}))
        np.testing.assert_allclose(backend.left_out_score_[clip], score[0])
    normal = backend.left_out_score_
    assert backend.threshold_ == pytest.approx(normal.mean() + 3 * normal.std())


@pytest.mark.parametrize("covariance", ["diag", "full"])
@pytest.mark.parametrize("responsibilities", ["gaussian", "student_t"])
def test_a_clip_belongs_to_the_components_by_their_densities(
    responsibilities: str, covariance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed anew by scipy: a t distribution with the precision and the degrees of freedom of the posterior."""
    seen = []
    fit = BayesianGaussianMixture.fit
    monkeypatch.setattr(BayesianGaussianMixture, "fit", lambda *given: seen.append(fit(*given)) or seen[-1])
    backend = TopicMixture(
        dimensions=4, responsibilities=responsibilities, covariance=covariance, smallest_weight=0.05
    ).fit_known(train(clips(spread=0.5)))
    (model,), baseline = seen, backend.baseline_
    kept = np.flatnonzero(model.weights_ > 0.05)
    assert 1 < len(kept) < len(model.weights_)
    others = clips(20, spread=1.0, seed=1)
    expected = []
    for vector in backend.reduction_.transform(others):
        densities = []
        for k, mean, matrix in zip(kept, baseline.means, baseline.covariances, strict=True):
            known, degrees = model.mean_precision_[k], model.degrees_of_freedom_[k] + 1 - 4
            scale = (1 + known) / (known * degrees) * model.degrees_of_freedom_[k] * matrix
            heavy = multivariate_t(mean, scale, degrees)
            density = heavy if responsibilities == "student_t" else multivariate_normal(mean, matrix)
            densities.append(density.pdf(vector))
        shares = baseline.weights * densities / (baseline.weights @ densities)
        prior = np.full(len(kept), 10.0)
        new = evolved(baseline, vector[None], shares[None], prior, diagonal=covariance == "diag")
        expected.append(component_divergences(new, baseline).sum())
    np.testing.assert_allclose(backend.anomaly_score(Embeddings({"embedding": others})), expected, rtol=1e-9)


def test_the_same_clips_give_the_same_scores() -> None:
    np.testing.assert_array_equal(fitted().train_score_, fitted().train_score_)


@pytest.mark.parametrize(("count", "size"), [(120, 5), (12, 2), (8, 1)])
def test_few_clips_or_short_embeddings_reduce_the_dimensions(
    count: int, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        backend = TopicMixture().fit(train(clips(count=count)))
    assert backend.baseline_.means.shape[1] == size
    assert np.isfinite(backend.train_score_).all()
    model_set = (~backend.held_out_).sum()
    assert (
        f"backend topic_mixture: {size} dimensions instead of 32: the model set has {model_set} clips of 5 values"
        in caplog.text
    )


def test_enough_clips_reduce_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fitted()
    assert not caplog.text


def test_new_normal_clips_of_few_score_as_the_model_set_does() -> None:
    """In 26 whitened dimensions, 27 clips are all equally far out, and any other clip is farther."""
    rng = np.random.default_rng(0)
    backend = TopicMixture().fit(train(rng.standard_normal((34, 32))))
    known = np.median(backend.train_score_[~backend.held_out_])
    new = np.median(backend.anomaly_score(Embeddings({"embedding": rng.standard_normal((60, 32))})))
    assert 0.5 < new / known < 2


def uneven(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return clips of four clusters, of which the lightest has 4 %."""
    centres = np.eye(4, 8)
    return centres[rng.choice(4, count, p=[0.6, 0.26, 0.1, 0.04])] + 0.1 * rng.standard_normal((count, 8))


def test_the_score_ranks_like_the_likelihood_and_that_of_the_mixture_does_not() -> None:
    """The divergence of whole mixtures also measures how light a component is; benchmarks/bench_topic_mixture.py."""
    rng = np.random.default_rng(0)
    known, normal, strange = uneven(500, rng), uneven(400, rng), uneven(400, rng) + 0.08 * rng.standard_normal((400, 8))
    labels, clips = np.repeat([0, 1], 400), Embeddings({"embedding": np.concatenate([normal, strange])})
    areas = {}
    for divergence in ("components", "mixture"):
        backend = TopicMixture(dimensions=8, divergence=divergence).fit(train(known))
        areas[divergence] = roc_auc_score(labels, backend.anomaly_score(clips))
    mixture, vectors = backend.baseline_, backend.reduction_.transform(clips["embedding"])
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    likelihoods = sum(weight * multivariate_normal(*part).pdf(vectors) for weight, *part in parts)
    possible = roc_auc_score(labels, -likelihoods)
    assert areas["components"] > possible - 0.01
    assert areas["mixture"] < possible - 0.02


@pytest.mark.parametrize("seed", range(4))
def test_ten_target_clips_of_a_thousand_keep_their_component(seed: int) -> None:
    """Eight of them are in the model set of 800 clips, 1 %."""
    rng = np.random.default_rng(seed)
    spread = 0.05 * rng.standard_normal((1000, 5))
    clips = np.concatenate([np.repeat(CENTRES[:2], 495, axis=0), np.repeat(CENTRES[2:], 10, axis=0)]) + spread
    domains = ["source"] * 990 + ["target"] * 10
    backend = TopicMixture(dimensions=4).fit(Embeddings({"embedding": clips}, domains, [{}] * 1000))
    weights = np.sort(backend.baseline_.weights)
    assert len(weights) == 3
    assert 0.007 < weights[0] < 0.012


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(AsdError, match="backend topic_mixture: 2 training clips are too few to leave one out"):
        TopicMixture().fit(train(clips(count=2)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("covariance", "diag or full"),
        ("divergence", "components or mixture"),
        ("responsibilities", "gaussian or student_t"),
    ],
)
def test_unknown_words_are_refused(name: str, words: str) -> None:
    with pytest.raises(AsdError, match=f"backend topic_mixture: {name} 'x': use {words}"):
        TopicMixture(**{name: "x"}).fit(train(clips()))
