"""The inference of a clip's condition from its sound.

There is one rule for each machine, section and kind of view, because separated clips sound different from recordings.
A rule is linear in the mean and the deviation of the clip's bands: a logistic regression or, where the conditions are
clusters, the nearest mean (|z − c|² is smallest where z · c − |c|² / 2 is largest).

A rule knows the clips that it was fitted to. It finds the condition of nearly all of them, but not of a new clip. The
training clips with which new clips are compared must therefore be treated like new ones: their conditions are inferred
by rules that are fitted to the other clips only.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asdlib.data.pieces import recording_of
from asdlib.errors import AsdError
from asdlib.examples.clip_statistics import clip_statistics
from asdlib.examples.clips import Origin
from asdlib.models.conditions import Clustering, Named, principal_axes, scaling
from asdlib.runtime.lean_imports import hidden
from asdlib.workflow.words import RAW

FOLDS = 5  # a rule for references is fitted to four fifths of the clips
_log = logging.getLogger(__name__)

Rule = dict[str, Any]  # centre and scale (2 · bands), weight (conditions, 2 · bands), bias and indices (conditions,)
Fit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def survey_rules(named: Named, statistics: Tensor, clustering: Clustering) -> list[Rule]:
    """Return one rule for each machine, section and kind of view, from training clips with their statistics.

    Besides the linear rule, each has `references`: the condition of every recording as inferred without it.
    """
    labels, values = named.labels.numpy(), statistics.double().numpy()
    kinds = [(origin.part, _made(origin)) for origin in named.origins]
    rules = []
    for part, made in sorted(set(kinds)):
        rows = np.array([row for row, kind in enumerate(kinds) if kind == (part, made)])
        nearest = part in named.clustered
        fit: Fit = (lambda x, y: _nearest_mean(x, y, clustering.components)) if nearest else _regression
        recordings = [named.origins[row].recording for row in rows]
        inferred = _out_of_fold(values[rows], labels[rows], recordings, fit)
        _log.info(
            "%s, section %s, %s: a rule finds the %s of %.1f %% of clips that it was not fitted to",
            *part, "made clips" if made else "recordings", "cluster" if nearest else "condition",
            100 * np.mean(inferred == labels[rows]),
        )  # fmt: skip
        references = dict(zip(recordings, inferred.tolist(), strict=True))
        rule = {name: array.tolist() for name, array in _rule(values[rows], labels[rows], fit).items()}
        rules.append({"machine": part[0], "section": part[1], "made": made, "references": references} | rule)
    return rules


class ConditionInference:
    """Infers the conditions of clips from their sound."""

    def __init__(self, rules: list[Rule]):
        """Take the rules of `survey_rules`."""
        self.rules = {(rule["machine"], rule["section"], rule["made"]): _tensors(rule) for rule in rules}

    def __call__(self, features: Tensor, frames: Tensor, known: list[Origin] | None) -> Tensor:
        """Return the index of the condition, (B,), of clips (B, frames, bands).

        `known` are their origins; without it, all are recordings of the only section of the only machine. A recording
        that the rules were fitted to has the condition that was inferred without it. Raises AsdError for a section
        without a rule.
        """
        statistics = clip_statistics(features, frames).cpu()
        rules = [self._only()] * len(frames) if known is None else [self._rule(origin) for origin in known]
        recordings = [None] * len(frames) if known is None else [origin.recording for origin in known]
        found = [
            rule["references"][recording] if recording in rule["references"] else _infer(rule, row)
            for rule, recording, row in zip(rules, recordings, statistics, strict=True)
        ]
        return torch.tensor(found, device=features.device)

    def _rule(self, origin: Origin) -> Rule:
        """Return the rule for a clip; a view that was not in training is treated like the other kind of view."""
        made = _made(origin)
        for kind in (made, not made):
            if (*origin.part, kind) in self.rules:
                return self.rules[*origin.part, kind]
        raise AsdError(
            f"model: there is no condition of {origin.machine}, section {origin.section}: add training clips of it"
        )

    def _only(self) -> Rule:
        parts = {key[:2] for key in self.rules}
        if len(parts) > 1:
            raise ValueError("clips of several machines or sections can have come in: give their origins")
        ((machine, section),) = parts
        return self._rule(Origin(machine, section, RAW, None))


def _made(origin: Origin) -> bool:
    """Return whether a clip was made from a recording: separated clips are `augmented` in training."""
    return origin.view != RAW


def _tensors(rule: Rule) -> Rule:
    numbers = {name: torch.tensor(rule[name]) for name in ("centre", "scale", "weight", "bias")}
    return numbers | {"indices": rule["indices"], "references": rule["references"]}


def _infer(rule: Rule, statistics: Tensor) -> int:
    scaled = (statistics - rule["centre"]) / rule["scale"]
    return rule["indices"][int((rule["weight"] @ scaled + rule["bias"]).argmax())]


def _rule(statistics: np.ndarray, labels: np.ndarray, fit: Fit) -> dict[str, np.ndarray]:
    """Fit a rule to statistics (N, 2 · bands), scaled, and labels (N,)."""
    centre, scale = scaling(statistics)
    weight, bias = fit((statistics - centre) / scale, labels)
    # single precision, like the network: the last digits of sums in double precision depend on the number of threads
    arrays = {"centre": centre, "scale": scale, "weight": weight, "bias": bias}
    return {name: array.astype(np.float32) for name, array in arrays.items()} | {"indices": np.unique(labels)}


def _out_of_fold(statistics: np.ndarray, labels: np.ndarray, recordings: list[str], fit: Fit) -> np.ndarray:
    """Return the label of each clip as inferred by a rule that was fitted to clips of other recordings, (N,).

    Pieces of a recording and copies of it are left out together. A lone recording keeps its label.
    """
    wholes = list(map(recording_of, recordings))
    condition = dict(zip(wholes, labels.tolist(), strict=True))
    ordered = sorted(condition, key=condition.get)  # so that the recordings of a condition are in different folds
    fold = {whole: number % FOLDS for number, whole in enumerate(ordered)}
    folds = np.array([fold[whole] for whole in wholes])
    inferred = labels.copy()
    for left_out in sorted(set(folds)) if len(ordered) > 1 else []:
        chosen = folds == left_out
        rule = _tensors({"references": {}} | _rule(statistics[~chosen], labels[~chosen], fit))
        rows = torch.from_numpy(statistics[chosen]).float()
        inferred[chosen] = [_infer(rule, row) for row in rows]
    return inferred


def _nearest_mean(scaled: np.ndarray, labels: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rule that finds the condition with the nearest mean, on principal components."""
    centre = scaled.mean(0)
    axes = principal_axes(scaled - centre, components)
    means = np.stack([(scaled[labels == label] - centre).mean(0) for label in np.unique(labels)]) @ axes
    weight = means @ axes.T
    return weight, -np.square(means).sum(1) / 2 - weight @ centre


def _regression(scaled: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a logistic regression in which all conditions have the same weight, however few clips they have.

    It takes thousands of steps with a few hundred numbers. Two threads would spend their time waiting for each other,
    ten times as long on a busy machine.
    """
    with hidden("pandas"):
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

    if len(set(labels)) == 1:
        return np.zeros((1, scaled.shape[1])), np.zeros(1)
    with threadpool_limits(1, user_api="blas"):
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scaled, labels)
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    # scikit-learn keeps one row, that of the second class
    return np.vstack([0 * model.coef_, model.coef_]), np.append(0.0, model.intercept_)
