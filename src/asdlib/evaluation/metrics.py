"""The official metrics of DCASE Task 2: AUC and partial AUC of a section, and the mean that makes one score of them.

Labels are 0 (normal) or 1 (anomaly), domains "source" or "target", a higher score is more anomalous; all values are
fractions in [0, 1]. Confidence intervals of these figures are in `asdlib.evaluation.jackknife`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asdlib.errors import AsdError
from asdlib.evaluation.figures import ALL_CLIPS, DOMAINS, Area, Definition

MAX_FPR = 0.1  # the pAUC covers false positive rates from 0 to here
EPSILON = float(np.finfo(np.float64).eps)  # the floor of every harmonic mean and denominator


@dataclass(frozen=True, slots=True)
class DecisionMetrics:
    """Precision, recall and F1 score of the decisions on one domain's clips."""

    precision: float
    recall: float
    f1: float


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve; ties count one half.

    Raises AsdError if there is only one class, or if a score is NaN or infinite.
    """
    labels, scores = checked(labels, scores)
    return _area(*_roc_curve(labels, scores))


def pauc(labels: ArrayLike, scores: ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the area under the ROC curve up to `max_fpr`, standardised (McClish): chance is 0.5, perfect is 1.

    Raises AsdError as `auc` does.
    """
    labels, scores = checked(labels, scores)
    fpr, tpr = _roc_curve(labels, scores)
    inside = np.searchsorted(fpr, max_fpr, "right")
    edge = np.interp(max_fpr, fpr[inside - 1 : inside + 1], tpr[inside - 1 : inside + 1])
    area = _area(np.append(fpr[:inside], max_fpr), np.append(tpr[:inside], edge))
    chance = 0.5 * max_fpr**2
    return float(0.5 * (1 + (area - chance) / (max_fpr - chance)))


def section_areas(definition: Definition, labels: ArrayLike, domains: ArrayLike, scores: ArrayLike) -> list[float]:
    """Return the areas of a definition for one section of N clips; domains are used only if the definition needs them.

    Since 2022, the AUC of a domain compares the normal clips of that domain with the anomalies of *both* domains; the
    pAUC uses all clips. Raises AsdError if a domain has no normal clip or, where the definition needs it, no anomaly,
    or as `auc` does.
    """
    labels, scores = checked(labels, scores)
    found = []
    for area in definition.areas:
        use = clips_of_area(area, labels, domains)
        found.append((pauc if area.partial else auc)(labels[use], scores[use]))
    return found


def clips_of_area(area: Area, labels: ArrayLike, domains: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask (N,) of the clips that an area compares."""
    labels = np.asarray(labels)
    used = np.zeros(labels.shape, dtype=bool)
    for label, kind, domain in ((0, "normal", area.normal), (1, "anomalous", area.anomalous)):
        chosen = labels == label
        if domain:
            chosen &= _checked_domains(domains, labels) == domain
        if domain and not chosen.any():
            what = f"no {kind} clip of the {domain} domain: its AUC needs one"
            raise AsdError(f"labels: {what}: add one, or leave out the domain")
        used |= chosen
    return used


def areas_to_compute(definition: Definition, sections: Iterable[tuple[ArrayLike, ArrayLike]]) -> tuple[Area, ...]:
    """Return the areas of a definition for which all sections, (labels, domains) of each, have clips.

    If no AUC is among them, because domains are unknown, for example, they are those of all clips.
    """
    sections = [(np.asarray(labels), np.asarray(domains)) for labels, domains in sections]
    found = tuple(area for area in definition.areas if all(_has_clips(area, *section) for section in sections))
    return found if any(not area.partial for area in found) else ALL_CLIPS


def _has_clips(area: Area, labels: NDArray[np.int64], domains: NDArray[np.str_]) -> bool:
    wanted = [(label, domain) for label, domain in enumerate((area.normal, area.anomalous)) if domain]
    known = not wanted or set(domains.tolist()) <= set(DOMAINS)
    return known and all(((labels == label) & (domains == domain)).any() for label, domain in wanted)


def precision_recall_f1(labels: ArrayLike, decisions: ArrayLike) -> DecisionMetrics:
    """Return the decision metrics of some clips (the official ones are computed per domain).

    A denominator of 0 is replaced by `EPSILON`, so that a metric without positives is 0 instead of an error.
    """
    labels, decisions = _binary(labels, "labels"), _binary(decisions, "decisions")
    if labels.shape != decisions.shape:
        raise AsdError(f"decisions: {decisions.size} values for {labels.size} clips: give one for each clip")
    hits = int(np.sum(labels & decisions))
    precision = hits / max(int(decisions.sum()), EPSILON)
    recall = hits / max(int(labels.sum()), EPSILON)
    return DecisionMetrics(precision, recall, 2 * precision * recall / max(precision + recall, EPSILON))


def harmonic_mean(values: Iterable[float]) -> float:
    """Return the harmonic mean of values of at least `EPSILON`; AsdError for no values, NaN or infinity."""
    array = np.asarray(list(values), dtype=np.float64)
    if not array.size or not np.isfinite(array).all():
        raise AsdError("harmonic mean: no values, or values that are not finite: leave out what was not scored")
    return float(array.size / np.sum(1.0 / np.maximum(array, EPSILON)))


def mean_of(definition: Definition, values: ArrayLike) -> float:
    """Return the mean by which a definition combines areas: harmonic, or arithmetic in 2020."""
    values = np.ravel(values)
    return harmonic_mean(values) if definition.score == "hmean" else float(np.mean(values))


def official_score(values: Iterable[float]) -> float:
    """Return the official score: the harmonic mean of all AUC (source), AUC (target) and pAUC values.

    Values are fractions; a value outside [0, 1] (a percentage, say) raises AsdError.
    """
    values = list(values)
    wrong = [value for value in values if not 0 <= value <= 1]
    if wrong:
        raise AsdError(f"official score: {wrong[0]} is not a fraction: give values between 0 and 1")
    return harmonic_mean(values)


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels and scores as arrays (N,); AsdError unless both classes occur and all scores are finite."""
    labels = _binary(labels, "labels")
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != labels.shape:
        raise AsdError(f"scores: {scores.size} values for {labels.size} clips: give one for each clip")
    if not np.isfinite(scores).all():
        raise AsdError(f"scores: {np.sum(~np.isfinite(scores))} are NaN or infinite: give finite scores")
    if not 0 < labels.sum() < labels.size:
        missing = "normal" if labels.all() else "anomalous"
        raise AsdError(f"labels: no {missing} clip: a ROC curve needs both: give clips of both classes")
    return labels, scores


def _checked_domains(domains: ArrayLike, labels: NDArray[np.int64]) -> NDArray[np.str_]:
    domains = np.asarray(domains)
    unknown = sorted(set(domains.tolist()) - set(DOMAINS))
    if unknown or domains.shape != labels.shape:
        wrong = f"{unknown[0]!r} is not a domain" if unknown else f"{domains.size} for {labels.size} clips"
        raise AsdError(f"domains: {wrong}: give 'source' or 'target' for each clip")
    return domains


def _binary(values: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or not np.isin(array, (0, 1)).all():
        raise AsdError(f"{name}: not a list of 0 and 1: give 0 (normal) or 1 (anomaly) for each clip")
    return array.astype(np.int64)


def _roc_curve(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the false and the true positive rates of the ROC curve, at its corners only.

    It is scikit-learn's curve to the last bit, without its import, which takes longer than all figures of a run.
    """
    # The curve depends on the order alone; ranks keep differences of huge scores from overflowing.
    distinct, ranks = np.unique(scores, return_inverse=True)
    counts = [np.bincount(ranks[labels == label], minlength=distinct.size)[::-1] for label in (0, 1)]
    false, true = (np.cumsum(count).astype(np.float64) for count in counts)  # from the highest score down
    turns = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    kept = np.concatenate([[True], turns, [True]]) if distinct.size > 2 else slice(None)
    return tuple(np.concatenate([[0.0], count[kept]]) / count[-1] for count in (false, true))


def _area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the area under a curve by the trapezoidal rule."""
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2.0).sum())
