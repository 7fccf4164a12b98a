"""Decision thresholds from the scores of normal clips."""

import logging
import math
from collections.abc import Sequence

import numpy as np

from asdlib.backends.embeddings import names_of
from asdlib.errors import TooFewClipsError

_log = logging.getLogger(__name__)


def gamma_quantile(sample: np.ndarray, quantile: float) -> float:
    """Return the quantile of a three-parameter gamma distribution fitted to a sample of scores.

    The fit is that of `scipy.stats.gamma.fit` (maximum likelihood) with a free location (docs/baseline.md, Decision
    threshold). If all scores are equal, their value is the threshold, and a warning is logged. Raises TooFewClipsError
    if no distribution is found.
    """
    from scipy import stats  # takes 0.7 s, and fitted thresholds do without it

    sample = np.asarray(sample, dtype=np.float64)
    if np.ptp(sample) == 0:
        _warn_of_equal(sample)
        return float(sample[0])
    try:
        shape, location, scale = stats.gamma.fit(sample)
    except stats.FitError:
        shape = location = scale = math.nan
    if not np.isfinite([shape, location, scale]).all():
        raise TooFewClipsError(f"backend: no gamma distribution fits {len(sample)} normal scores: add training clips")
    return float(stats.gamma.ppf(quantile, shape, loc=location, scale=scale))


def left_out_quantile(scores: np.ndarray, domains: Sequence[str | None], quantile: float) -> tuple[float, float]:
    """Return the lowest left-out score that a new normal clip stays below with the probability `quantile`, and that.

    The clip is as likely to be of one domain as of another: with ten target clips among a thousand, an ordinary
    quantile would lie below all of them. In a domain of n clips, k of which have at most this score, the probability is
    k / (n + 1), because the new clip could be anywhere among them (as in conformal prediction). The scores must be of
    clips that the detector was not fitted to; no distribution is assumed. If there are too few clips for the quantile,
    the highest score and its lower probability are returned, and a warning is logged. It is also logged if all scores
    are equal.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if np.ptp(scores) == 0:
        _warn_of_equal(scores)
    names = names_of(domains)
    groups = {name: np.sort(scores[names == name]) for name in np.unique(names)}
    candidates = np.unique(scores)
    shares = [np.searchsorted(group, candidates, "right") / (len(group) + 1) for group in groups.values()]
    reached = np.mean(shares, axis=0)
    enough = np.flatnonzero(reached >= quantile - 1e-9)  # rounding: 9 / 10 is not always 0.9
    if len(enough):
        return float(candidates[enough[0]]), quantile
    counts = ", ".join(f"{len(group)} {name}" for name, group in groups.items())
    _log.warning(
        "%d training clips (%s) are too few for the quantile %g: the threshold is their highest score, which a new "
        "normal clip exceeds with a probability of about %.2f",
        len(scores), counts, quantile, 1 - reached[-1],
    )  # fmt: skip
    return float(candidates[-1]), float(reached[-1])


def _warn_of_equal(sample: np.ndarray) -> None:
    _log.warning("all %d scores behind the threshold are the same: any higher one is anomalous", len(sample))
