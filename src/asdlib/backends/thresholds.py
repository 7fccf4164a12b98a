"""Decision thresholds from the scores of normal clips."""

import logging

import numpy as np
from scipy import stats

_log = logging.getLogger(__name__)


def gamma_quantile(sample: np.ndarray, quantile: float) -> float:
    """Return the quantile of a three-parameter gamma distribution fitted to a sample of scores.

    The fit is that of `scipy.stats.gamma.fit` (maximum likelihood) with a free location (docs/baseline.md, Decision
    threshold).
    """
    return _quantile(stats.gamma.fit(np.asarray(sample, dtype=np.float64)), quantile)


def safe_gamma_quantile(sample: np.ndarray, quantile: float) -> float:
    """Return the gamma quantile from the better of two fits, SciPy's own and one that starts at the sample's moments.

    From its default start, SciPy's search can end far from a skewed sample, with a quantile that most of the sample
    exceeds. The better fit is the one with the smaller Kolmogorov-Smirnov distance to the sample. The likelihood is no
    criterion, because it is unbounded where the density is infinite at the location. If all scores are equal, their
    value is the threshold, and a warning is logged.
    """
    sample = np.asarray(sample, dtype=np.float64)
    spread = np.ptp(sample)
    if spread == 0:
        _log.warning("all %d normal training clips have the same score: any higher one is anomalous", len(sample))
        return float(sample[0])
    location = sample.min() - 0.1 * spread
    mean, variance = sample.mean() - location, sample.var()
    fits = (
        stats.gamma.fit(sample),
        stats.gamma.fit(sample, mean**2 / variance, loc=location, scale=variance / mean),
    )
    found = [fit for fit in fits if np.isfinite(fit).all()]
    return _quantile(min(found, key=lambda fit: stats.kstest(sample, "gamma", args=fit).statistic), quantile)


def _quantile(fit: tuple[float, float, float], quantile: float) -> float:
    shape, location, scale = fit
    return float(stats.gamma.ppf(quantile, shape, loc=location, scale=scale))
