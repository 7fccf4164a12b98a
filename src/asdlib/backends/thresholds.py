"""Decision thresholds from the scores of normal clips."""

import logging

import numpy as np
from scipy import stats

from asdlib.errors import AsdError

Fit = tuple[float, float, float]  # shape, location and scale
_log = logging.getLogger(__name__)


def gamma_quantile(sample: np.ndarray, quantile: float) -> float:
    """Return the quantile of a three-parameter gamma distribution fitted to a sample of scores.

    The fit is that of `scipy.stats.gamma.fit` (maximum likelihood) with a free location (docs/baseline.md, Decision
    threshold). If all scores are equal, their value is the threshold, and a warning is logged. Raise AsdError if no
    distribution is found.
    """
    sample = np.asarray(sample, dtype=np.float64)
    if np.ptp(sample) == 0:
        return _only(sample)
    return _best([_fit(sample)], sample, quantile)


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
        return _only(sample)
    location = sample.min() - 0.1 * spread
    mean, variance = sample.mean() - location, sample.var()
    fits = [_fit(sample), _fit(sample, mean**2 / variance, loc=location, scale=variance / mean)]
    return _best(fits, sample, quantile)


def _only(sample: np.ndarray) -> float:
    _log.warning("all %d scores behind the threshold are the same: any higher one is anomalous", len(sample))
    return float(sample[0])


def _fit(sample: np.ndarray, *shape: float, **start: float) -> Fit | None:
    """Return a gamma distribution (shape, location, scale) fitted from a start, None if the search fails."""
    try:
        fit = stats.gamma.fit(sample, *shape, **start)
    except stats.FitError:
        return None
    return fit if np.isfinite(fit).all() else None


def _best(fits: list[Fit | None], sample: np.ndarray, quantile: float) -> float:
    """Return the quantile of the fit with the smallest Kolmogorov-Smirnov distance to the sample."""
    found = [fit for fit in fits if fit is not None]
    if not found:
        raise AsdError(f"backend: no gamma distribution fits {len(sample)} normal scores: add training clips")
    shape, location, scale = min(found, key=lambda fit: stats.kstest(sample, "gamma", args=fit).statistic)
    return float(stats.gamma.ppf(quantile, shape, loc=location, scale=scale))
