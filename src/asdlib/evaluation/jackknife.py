"""Jackknife intervals of the official metrics, without recomputing the metric for each clip left out.

Let tp(f) be the number of anomalies found at f false alarms (linear within a group of tied scores). Leaving out one
clip shifts a known part of this curve, so every leave-one-out area follows from the area of the full curve. Where clips
are pieces of recordings, recordings are left out, because their pieces are not independent of each other.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit  # the quantile that scipy.stats.t.ppf returns, whose import takes a second

from asdlib.errors import AsdError
from asdlib.evaluation.figures import SINCE_2022, Definition
from asdlib.evaluation.metrics import EPSILON, MAX_FPR, checked, clips_of_area, section_areas

Floats = NDArray[np.float64]
Clips = tuple[ArrayLike, ArrayLike, ArrayLike]  # labels, domains and scores of one section, each of shape (N,)


def evaluator_ci95(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the value that the evaluator prints as `official score ci95`, kept only for parity.

    It is the mean of the half widths of AUC and pAUC over the pooled clips of all machines, too narrow by a factor
    of N - 1; use `official_ci95` for a valid interval. NaN if a class has only one clip.
    """
    areas = leave_one_out_auc(labels, scores), leave_one_out_pauc(labels, scores)
    return float(np.mean([_half_width(values) / (values.size - 1) for values in areas]))


def official_ci95(sections: Sequence[Clips], definition: Definition = SINCE_2022) -> float:
    """Return the half width of the 95 % jackknife interval of the score of a definition over `sections`.

    NaN if leaving a clip out leaves an AUC without clips.
    """
    return float(half_widths(leave_one_out_figures(definition, sections))[-1])


def leave_one_out_figures(definition: Definition, sections: Sequence[Clips]) -> Floats:
    """Return the figures of a definition over `sections`, with each of their N clips in turn left out of its section.

    Shape (N, F): each area's mean over the sections, and the score. NaN where an area has no clips of one class left.
    """
    return _figures(definition, sections, [_leave_one_out_areas(definition, *clips) for clips in sections])


def leave_one_recording_out_figures(
    definition: Definition, sections: Sequence[Clips], recordings: Sequence[ArrayLike]
) -> Floats:
    """Return the figures with each recording in turn left out, with all clips that are pieces of it; shape (N, F).

    `recordings` has the names of a section's recordings by clip. The areas are computed anew for every recording.
    """
    pairs = zip(sections, recordings, strict=True)
    return _figures(definition, sections, [_leave_one_recording_out_areas(definition, *pair) for pair in pairs])


def _figures(definition: Definition, sections: Sequence[Clips], left_out: Sequence[Floats]) -> Floats:
    """Return figures from the areas of each section without one of its parts, (N of the section, areas)."""
    there, back = (_inverse, np.reciprocal) if definition.score == "hmean" else (np.asarray, np.asarray)
    terms = there(np.array([section_areas(definition, *clips) for clips in sections]))  # of the mean: (sections, areas)
    replicates = []
    for index, areas in enumerate(left_out):
        others = np.delete(terms, index, axis=0).sum(axis=0)
        means = (others + there(areas)) / len(sections)
        replicates.append(back(np.column_stack([means, means.mean(axis=1)])))
    return np.concatenate(replicates)


def half_widths(replicates: Floats) -> Floats:
    """Return the half widths (F,) of the 95 % jackknife intervals of F figures from (N, F) leave-one-out values."""
    return np.array([_half_width(column) for column in replicates.T])


def leave_one_out_auc(labels: ArrayLike, scores: ArrayLike) -> Floats:
    """Return the AUC without clip i for each i: shape (N,); NaN where only one class remains."""
    labels, scores = checked(labels, scores)
    positive = labels == 1
    normal, anomalous = np.sort(scores[~positive]), np.sort(scores[positive])
    pairs_won = np.where(positive, _below(normal, scores), anomalous.size - _below(anomalous, scores))
    left = np.where(positive, (anomalous.size - 1) * normal.size, anomalous.size * (normal.size - 1))
    return _ratio(pairs_won[positive].sum() - pairs_won, left)


def leave_one_out_pauc(labels: ArrayLike, scores: ArrayLike) -> Floats:
    """Return the standardised pAUC without clip i for each i: shape (N,); NaN where only one class remains."""
    labels, scores = checked(labels, scores)
    positive = labels == 1
    groups, group = np.unique(-scores, return_inverse=True)  # tied scores, highest first
    fp = np.concatenate([[0], np.cumsum(np.bincount(group[~positive], minlength=groups.size))])
    tp = np.concatenate([[0], np.cumsum(np.bincount(group[positive], minlength=groups.size))])
    without_anomaly = _area(fp, tp, MAX_FPR * fp[-1]) - _lost_with_anomaly(fp, MAX_FPR * fp[-1])
    without_normal = _area_without_normal(fp, tp, MAX_FPR * (fp[-1] - 1))
    areas = np.where(positive, without_anomaly[group], without_normal[group])
    boxes = np.where(positive, fp[-1] * (tp[-1] - 1), (fp[-1] - 1) * tp[-1])
    chance = MAX_FPR**2 / 2
    return 0.5 * (1 + (_ratio(areas, boxes) - chance) / (MAX_FPR - chance))


def _below(ordered: Floats, scores: Floats) -> Floats:
    """Return how many of `ordered` are below each score; equal ones count one half."""
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2


def _area(fp: Floats, tp: Floats, end: float) -> float:
    """Return the area of the curve through (fp, tp) from 0 to `end` false alarms, in units of clips."""
    widths = np.clip(end, fp[:-1], fp[1:]) - fp[:-1]
    return float(np.sum(tp[:-1] * widths + np.diff(tp) * _ratio(widths**2, 2 * np.diff(fp), empty=0.0)))


def _lost_with_anomaly(fp: Floats, end: float) -> Floats:
    """Return the area lost up to `end` without one anomaly of group g, for each g: the curve behind g is 1 lower."""
    start, stop = fp[:-1], fp[1:]
    inside = np.clip(end, start, stop) - start
    return _ratio(inside**2, 2 * (stop - start), empty=0.0) + np.maximum(end - stop, 0)


def _area_without_normal(fp: Floats, tp: Floats, end: float) -> Floats:
    """Return the area up to `end` without one normal clip of each group g: behind g the curve moves left by 1."""
    areas = np.full(fp.size - 1, _area(fp, tp, end))  # holds for the groups that begin beyond the end
    for g in np.flatnonzero(fp[:-1] < end):
        areas[g] = _area(np.where(np.arange(fp.size) > g, fp - 1, fp), tp, end)
    return areas


def _leave_one_out_areas(definition: Definition, labels: ArrayLike, domains: ArrayLike, scores: ArrayLike) -> Floats:
    """Return the areas of a section without clip i: shape (N, areas)."""
    labels, scores = checked(labels, scores)
    columns = []
    for area, full in zip(definition.areas, section_areas(definition, labels, domains, scores), strict=True):
        use = clips_of_area(area, labels, domains)
        column = np.full(labels.size, full)  # a clip that is not part of this area changes nothing
        column[use] = (leave_one_out_pauc if area.partial else leave_one_out_auc)(labels[use], scores[use])
        columns.append(column)
    return np.stack(columns, axis=1)


def _leave_one_recording_out_areas(definition: Definition, clips: Clips, recordings: ArrayLike) -> Floats:
    """Return the areas of a section without each recording, (recordings, areas); NaN where a class has no clip left."""
    labels, domains, scores = (np.asarray(values) for values in clips)
    names = np.asarray(recordings)
    found = []
    for name in np.unique(names):
        kept = names != name
        found.append([_area_of(replace(definition, areas=(area,)), kept, labels, domains, scores)
                      for area in definition.areas])  # fmt: skip
    return np.array(found)


def _area_of(single: Definition, kept: NDArray[np.bool_], labels: Floats, domains: Floats, scores: Floats) -> float:
    try:
        return section_areas(single, labels[kept], domains[kept], scores[kept])[0]
    except AsdError:  # one class, or a domain, has no clip left
        return math.nan


def _inverse(values: Floats) -> Floats:
    """Return 1 / value with the official floor: the terms of a harmonic mean."""
    return 1.0 / np.maximum(values, EPSILON)


def _half_width(replicates: Floats) -> float:
    """Return the half width of the 95 % jackknife interval from N leave-one-out values."""
    n = replicates.size
    variance = (n - 1) / n * np.sum((replicates - replicates.mean()) ** 2)
    return float(stdtrit(n - 1, 0.975) * np.sqrt(variance))


def _ratio(above: ArrayLike, below: ArrayLike, empty: float = math.nan) -> Floats:
    """Return `above / below`, and `empty` where `below` is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=np.float64), below)
    return np.divide(above, below, out=np.full(above.shape, empty), where=below != 0)
