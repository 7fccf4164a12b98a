"""A simulation: is the score normalised before or after the minimum over the domains is taken? (docs/system3.md)"""

from itertools import product

import numpy as np
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.nearest_neighbours import NearestNeighbours

SPREADS = (0.5, 1.0, 1.5, 2.0, 3.0)  # of the target clips, in spreads of the source clips
DISTANCES = (0.1, 0.2, 0.4, 0.8, 1.6)  # of the domains: deviation of the logarithm of their mean errors
BANDS, SOURCE, TARGET, TESTS = 32, 300, 10, 50  # ten target clips, as in the challenge
SEEDS = 2


def figures(spread: float, distance: float, seed: int) -> dict[bool, tuple[float, float, float]]:
    """Return AUC source, AUC target and the harmonic mean of both and pAUC, by `normalise_before_min`.

    Errors of bands are log-normal. Those of anomalies are larger, in proportion to the spread of their domain.
    """
    rng = np.random.default_rng(seed)
    source = rng.gamma(4.0, 0.25, BANDS)
    domains = [(source, 0.2), (source * np.exp(distance * rng.normal(size=BANDS)), 0.2 * spread)]

    def clips(domain: int, count: int, fault: float = 0.0) -> np.ndarray:
        centre, width = domains[domain]
        louder = 1 + fault * width / 0.2 * np.abs(rng.normal(size=(count, BANDS)))
        return louder * centre * np.exp(width * rng.normal(size=(count, BANDS)))

    train = Embeddings(
        {"error": np.concatenate([clips(0, SOURCE), clips(1, TARGET)])}, ["source"] * SOURCE + ["target"] * TARGET
    )
    normal = [clips(domain, TESTS) for domain in (0, 1)]
    anomalous = np.concatenate([clips(domain, TESTS, fault=0.3) for domain in (0, 1)])
    found = {}
    for before in (False, True):
        fitted = NearestNeighbours("error", 5, normalise_before_min=before).fit(train)
        *usual, strange = (fitted.anomaly_score(Embeddings({"error": one})) for one in (*normal, anomalous))
        aucs = [auc(one, strange) for one in usual]
        found[before] = (*aucs, hmean([*aucs, auc(np.concatenate(usual), strange, max_fpr=0.1)]))
    return found


def auc(normal: np.ndarray, anomalous: np.ndarray, max_fpr: float | None = None) -> float:
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    return 100 * roc_auc_score(labels, np.concatenate([normal, anomalous]), max_fpr=max_fpr)


def test_normalised_first_the_target_domain_gains_more_than_the_source_domain_loses() -> None:
    """In the mean, that is: it loses where the target domain is far away and wide, or near and narrow."""
    settings = list(product(SPREADS, DISTANCES))
    found = [[figures(*setting, seed) for seed in range(SEEDS)] for setting in settings]
    after, before = (np.array([[one[order] for one in seeds] for seeds in found]).mean(1) for order in (False, True))
    source, target, overall = (before - after).T
    assert target.mean() > 3
    assert -4 < source.mean() < 0
    assert overall.mean() > 1
    assert (overall > 0.5).sum() > (overall < -0.5).sum()
    overlapping = np.array([spread > 1 and distance < 0.8 for spread, distance in settings])
    assert (overall[overlapping] > 2).all()
