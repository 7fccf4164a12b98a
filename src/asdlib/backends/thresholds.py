"""Decision thresholds learned from normal clips' scores."""

import numpy as np
from scipy import stats


def gamma_quantile(sample: np.ndarray, quantile: float) -> float:
    """Return the quantile of a three-parameter gamma distribution fitted to a sample of scores.

    Maximum likelihood as `scipy.stats.gamma.fit` finds it, location free (docs/baseline.md, Decision threshold).
    """
    shape, location, scale = stats.gamma.fit(np.asarray(sample, dtype=np.float64))
    return float(stats.gamma.ppf(quantile, shape, loc=location, scale=scale))
