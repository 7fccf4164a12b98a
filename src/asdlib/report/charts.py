"""ROC curves and histograms of the scores of a section, with the ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asdlib.errors import AsdError
from asdlib.evaluation.figures import DOMAINS, SINCE_2022, Area, Definition
from asdlib.evaluation.metrics import areas_to_compute, auc, clips_of_area
from asdlib.report.images import (
    BLACK,
    BLUE,
    DASHES,
    GREY,
    LINES,
    PURPLE,
    VERMILLION,
    Picture,
    joint_legend,
    new_figure,
    picture,
    styled,
)
from asdlib.runtime.lean_imports import hidden

with hidden("pandas"):  # which scikit-learn would import
    from sklearn.metrics import roc_curve

UNKNOWN = "unknown"
OVER_LINES = {"frameon": True, "framealpha": 0.85, "edgecolor": "none"}  # for a legend on top of lines
# The groups of a histogram: (legend, colour, hatch, filled). Hatches distinguish the groups without colour.
GROUPS = {
    "training": ("training, normal", GREY, "", False),
    "normal": ("test, normal", BLUE, "", True),
    "anomaly": ("test, anomaly", VERMILLION, "////", True),
    UNKNOWN: ("test, label unknown", PURPLE, "....", True),
}


@dataclass(frozen=True)
class Scores:
    """One variant's scores of the N test clips and the M normal training clips of a section.

    Labels and domains can be None. Training scores are on the scale of the test scores. `threshold` is the decision
    threshold.
    """

    variant: str
    scores: np.ndarray  # (N,)
    labels: list[str | None]
    domains: list[str | None]
    train_scores: np.ndarray  # (M,)
    train_domains: list[str | None]
    threshold: float


@styled
def roc_curves(variants: Sequence[Scores], definition: Definition = SINCE_2022) -> Picture | None:
    """Return the ROC curves of a section, one panel per AUC and one line per variant; None without ground truth.

    The curves compare the clips that the AUCs of the official definition compare, or all labelled clips where domains
    are missing.
    """
    truth = [_labels(variant) for variant in variants]
    compared = [area for area in areas_to_compute(definition, truth) if not area.partial]
    figure, panels = new_figure(len(compared), height=2.9)
    areas = []
    for chosen, axes in zip(compared, panels, strict=True):
        name = chosen.normal or "all"
        for number, variant in enumerate(variants):
            try:
                labels, scores = _clips_of(variant, chosen)
                area = 100 * auc(labels, scores)
            except AsdError:
                return None
            false, true, _ = roc_curve(labels, scores)
            style = {"color": LINES[number % len(LINES)], "linestyle": DASHES[number % len(DASHES)]}
            axes.plot(false, true, linewidth=1.6, label=f"{variant.variant}: {area:.2f}", **style)
            areas.append(f"{variant.variant}, {name} {area:.2f}")
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        title = f"{chosen.normal} domain" if chosen.normal else "all clips"
        axes.set(title=title, xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
        axes.legend(title="AUC in percent", loc="lower right", handlelength=1.6, **OVER_LINES)
    return picture(figure, f"ROC curves. AUC in percent: {'; '.join(areas)}.")


def _clips_of(variant: Scores, area: Area) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and scores of the labelled clips that an area compares."""
    labels, domains = _labels(variant)
    scores = variant.scores[[label is not None for label in variant.labels]]
    used = clips_of_area(area, labels, domains)
    return labels[used], scores[used]


def _labels(variant: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels, 0 or 1, and the domains of the labelled clips."""
    known = [pair for pair in zip(variant.labels, variant.domains, strict=True) if pair[0] is not None]
    return np.array([label == "anomaly" for label, _ in known], dtype=int), np.array([domain for _, domain in known])


@styled
def histograms(variant: Scores) -> Picture:
    """Return histograms of a variant's scores by label, one panel per domain, with the decision threshold."""
    present = set(variant.domains) | set(variant.train_domains)
    domains = [name for name in (*DOMAINS, None) if name in present]
    edges = _edges(np.concatenate([variant.scores, variant.train_scores]))
    figure, panels = new_figure(len(domains))
    for domain, axes in zip(domains, panels, strict=True):
        for name, values in _groups(variant, domain).items():
            legend, colour, hatch, filled = GROUPS[name]
            shape = {"color": colour, "alpha": 0.45} if filled else {"edgecolor": colour}
            axes.hist(values, edges, weights=np.full(len(values), 100 / len(values)), hatch=hatch, linewidth=1.4,
                      histtype="stepfilled" if filled else "step", label=legend, **shape)  # fmt: skip
        axes.axvline(variant.threshold, color=BLACK, linewidth=1.4, linestyle="--", label="decision threshold")
        axes.set(title=f"{domain or UNKNOWN} domain", xlabel="anomaly score", ylabel="clips in percent")
    joint_legend(figure, panels, loc="outside lower center", ncols=2)
    return picture(figure, _text(variant))


def _edges(scores: np.ndarray) -> np.ndarray:
    """Return the edges of 32 bins, also for scores that differ in their last digits only."""
    try:
        return np.histogram_bin_edges(scores, bins=32)
    except ValueError:  # there are not as many numbers between the lowest and the highest
        middle = float(np.median(scores))
        half = max(0.5, 1e-9 * abs(middle))
        return np.linspace(middle - half, middle + half, 33)


def _groups(variant: Scores, domain: str | None) -> dict[str, np.ndarray]:
    """Return the scores of one domain's clips by group, without empty groups."""
    train = variant.train_scores[[name == domain for name in variant.train_domains]]
    groups = {"training": train}
    for label, name in (("normal", "normal"), ("anomaly", "anomaly"), (None, UNKNOWN)):
        pairs = zip(variant.labels, variant.domains, strict=True)
        groups[name] = variant.scores[[pair == (label, domain) for pair in pairs]]
    return {name: values for name, values in groups.items() if len(values)}


def _text(variant: Scores) -> str:
    counts = []
    for label in ("normal", "anomaly", None):
        scores = variant.scores[[own == label for own in variant.labels]]
        if len(scores):
            above = np.count_nonzero(scores > variant.threshold)
            counts.append(f"{above} of {len(scores)} clips ({GROUPS[label or UNKNOWN][0]})")
    counted = f"Above the decision threshold {variant.threshold:.4g}: {', '.join(counts)}."
    return f"Histogram of variant {variant.variant}. {counted}"
