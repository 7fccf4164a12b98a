"""The operating conditions of clips: their names in training, and their inference when a clip is scored.

The condition of a training clip is its machine, its attributes and its domain. Clips of a machine without attributes
are clustered, and the cluster is the condition. For a clip that is scored, neither attributes nor domain are given, so
its condition is inferred from the mean and the deviation of its bands. In both cases the rule is linear: a logistic
regression or, for a single machine without attributes, the nearest cluster centre (|z − c|² is smallest where
z · c − |c|² / 2 is largest).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.examples.clip_statistics import SMALLEST, clip_statistics
from asdlib.examples.clips import Clips


@dataclass(frozen=True)
class Rule:
    """A linear classifier of conditions: names, `weight` (conditions, 2 · bands) and `bias` (conditions,)."""

    names: list[str]
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Clustering:
    """Clustering of machines without attributes: k-means on principal components of the clips' statistics."""

    clusters: int
    components: int

    def fit(self, statistics: np.ndarray, machine: str) -> tuple[list[str], Rule]:
        """Return the name of every clip's cluster, and the rule that finds the nearest centre."""
        from sklearn.cluster import KMeans  # imported here because it takes two seconds and only trainings need it
        from sklearn.decomposition import PCA

        pca = PCA(min(self.components, *statistics.shape), random_state=0).fit(statistics)
        means = KMeans(min(self.clusters, len(statistics)), n_init=10, random_state=0).fit(pca.transform(statistics))
        centres = means.cluster_centers_
        names = [f"{machine} | cluster {number:02d}" for number in range(len(centres))]
        weight = centres @ pca.components_
        bias = -np.square(centres).sum(1) / 2 - weight @ pca.mean_
        return [names[label] for label in means.labels_], Rule(names, weight, bias)


def survey_conditions(clips: Clips, statistics: Tensor, clustering: Clustering) -> dict[str, Any]:
    """Return the facts for `ConditionInference`, learned from training clips and their statistics (N, 2 · bands).

    The keys are `names` (of the conditions), `centre` and `scale` (of the statistics), `weight` and `bias` (of the
    rule).
    """
    centre, scale = _scaling(statistics)
    scaled = (statistics.numpy() - centre) / scale
    names, lone = _name(clips, scaled, clustering)
    rule = lone or _regression(scaled, names)
    arrays = {"centre": centre, "scale": scale, "weight": rule.weight, "bias": rule.bias}
    # single precision, like the network: the last digits of sums in double precision depend on the number of threads
    return {"names": rule.names} | {name: array.astype(np.float32).tolist() for name, array in arrays.items()}


def training_conditions(clips: Clips, statistics: Tensor, names: list[str], clustering: Clustering) -> Tensor:
    """Return the condition of each training clip as an index into `names`, (N,).

    The clips must be those that `survey_conditions` was given, so that the clusters are the same.
    """
    centre, scale = _scaling(statistics)
    found, _ = _name(clips, (statistics.numpy() - centre) / scale, clustering)
    indices = {name: index for index, name in enumerate(names)}
    return torch.tensor([indices[name] for name in found])


class ConditionInference(nn.Module):
    """Infers the condition of clips from their sound."""

    def __init__(self, facts: dict[str, Any]):
        """Take the facts of `survey_conditions`; they are not saved with the weights."""
        super().__init__()
        for name in ("centre", "scale", "weight", "bias"):
            self.register_buffer(name, torch.tensor(facts[name]), persistent=False)

    def forward(self, features: Tensor, frames: Tensor) -> Tensor:
        """Return the index of the most likely condition, (B,), of clips (B, frames, bands)."""
        scaled = (clip_statistics(features, frames) - self.centre) / self.scale
        return (scaled @ self.weight.T + self.bias).argmax(1)


def _scaling(statistics: Tensor) -> tuple[np.ndarray, np.ndarray]:
    values = statistics.double().numpy()
    return values.mean(0), values.std(0).clip(SMALLEST)


def _name(clips: Clips, scaled: np.ndarray, clustering: Clustering) -> tuple[list[str], Rule | None]:
    """Return every clip's condition, and the rule if there is only one machine and its conditions are clusters."""
    machines = clips.column("machine")
    attributes = [" ".join(f"{name}={value}" for name, value in sorted(pairs)) for pairs in clips.column("attributes")]
    columns = zip(machines, attributes, clips.column("domain"), strict=True)
    names = [f"{machine} | {known} | {domain or 'no domain'}" for machine, known, domain in columns]
    rules = {}
    for machine in sorted(set(machines)):
        rows = [row for row, other in enumerate(machines) if other == machine]
        if any(attributes[row] for row in rows):
            continue
        found, rules[machine] = clustering.fit(scaled[rows], machine)
        for row, name in zip(rows, found, strict=True):
            names[row] = name
    return names, rules.get(machines[0]) if len(set(machines)) == 1 else None


def _regression(scaled: np.ndarray, names: list[str]) -> Rule:
    """Fit a logistic regression in which all conditions have the same weight, however few clips they have."""
    known = sorted(set(names))
    from sklearn.linear_model import LogisticRegression

    if len(known) == 1:
        return Rule(known, np.zeros((1, scaled.shape[1])), np.zeros(1))
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scaled, names)
    weight, bias = model.coef_, model.intercept_
    if len(known) == 2:  # scikit-learn keeps one row, that of the second class
        weight, bias = np.vstack([0 * weight, weight]), np.append(0.0, bias)
    return Rule(known, weight, bias)
