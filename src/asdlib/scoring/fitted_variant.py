"""A variant's backends, fitted to one machine's normal training clips: what turns representations into scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import Embeddings, read_embeddings
from asdlib.backends.thresholds import safe_gamma_quantile
from asdlib.errors import AsdError
from asdlib.workflow.recipe import Recipe


@dataclass(frozen=True)
class FittedVariant:
    """Fitted backends, branch by branch and view by view, and what they make of the training clips.

    `clips` are the training clips' metadata, `train_score` (N,) their own scores on the scale of the anomaly scores,
    `threshold` what a clip's score must exceed to be called anomalous.
    """

    branches: list[list[Any]]
    clips: pa.Table
    train_score: np.ndarray
    threshold: float

    def anomaly_score(self, clips: pa.Table, views: Sequence[Embeddings], place: str) -> np.ndarray:
        """Return one score a clip, (N,), of embeddings as `read_views` returns them; `place` is said in errors."""
        embeddings = iter(views)
        scores = [[backend.anomaly_score(next(embeddings)) for backend in backends] for backends in self.branches]
        return _finite(_mean(scores), clips, place)


def fit_variant(paths: list[Path], settings: dict[str, Any], place: str) -> FittedVariant:
    """Fit the backends of a variant (`settings` as `Graph.score_settings` has them) to one section's training clips.

    `paths` are embeddings, branch by branch and view by view. The threshold is the one that a lone backend defines,
    else a quantile of a gamma distribution fitted to the training clips' own scores. Raises AsdError for a section
    without training clips, files of different clips, and a score that is not finite.
    """
    clips, views = read_views(paths, "train", settings["section"])
    trains = iter(views)
    branches = [
        [_backend(branch["backend"]).fit(next(trains)) for _ in range(branch["views"])]
        for branch in settings["branches"]
    ]
    scores = _mean([[backend.train_score_ for backend in backends] for backends in branches])
    train_score = _finite(scores, clips, place)
    return FittedVariant(branches, clips, train_score, _threshold(branches, train_score, settings["decision"]))


def read_views(paths: list[Path], kind: str, section: str) -> tuple[pa.Table, list[Embeddings]]:
    """Read one section's training or test clips from files of embeddings: (metadata, embeddings file by file).

    Scores are joined row by row, so all files must hold the same clips.
    """
    read = [read_embeddings(path, kind, section) for path in paths]
    word = "training" if kind == "train" else kind
    names = file_names(read[0][0])
    if not names:
        raise AsdError(f"{paths[0]}: section {section} has no {word} clips: add some, or leave the section out")
    for path, (clips, _) in zip(paths, read, strict=True):
        if file_names(clips) != names:
            raise AsdError(f"{path}: holds other {word} clips than {paths[0]}: delete both and run again")
    return read[0][0], [embeddings for _, embeddings in read]


def file_names(clips: pa.Table) -> list[str]:
    """Return the clips' file names without folders."""
    return [name.rpartition("/")[2] for name in clips.column("source_file").to_pylist()]


def _backend(settings: dict[str, Any]) -> Any:
    recipe = Recipe("backends", settings)
    return BACKENDS[recipe.kind](**recipe.arguments)


def _mean(scores: list[list[np.ndarray]]) -> np.ndarray:
    """Average the scores of a branch's views, then those of the branches."""
    return np.mean([np.mean(views, axis=0) for views in scores], axis=0)


def _finite(scores: np.ndarray, clips: pa.Table, place: str) -> np.ndarray:
    if not np.isfinite(scores).all():
        clip = file_names(clips)[int(np.flatnonzero(~np.isfinite(scores))[0])]
        raise AsdError(f"{place}/{clip}: its score is not finite: check the recording and the training's log")
    return scores


def _threshold(branches: list[list[Any]], train_score: np.ndarray, decision: dict[str, Any]) -> float:
    backends = [backend for views in branches for backend in views]
    own = getattr(backends[0], "threshold_", None)
    if len(backends) == 1 and own is not None:
        return float(own)
    return safe_gamma_quantile(train_score, decision["quantile"])
