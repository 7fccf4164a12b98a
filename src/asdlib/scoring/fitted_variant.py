"""The backends of a variant, fitted to one section's normal training clips."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import Embeddings, read_embeddings
from asdlib.backends.thresholds import left_out_quantile
from asdlib.errors import AsdError
from asdlib.scoring.fusion import MEAN, Fusion
from asdlib.scoring.left_out import left_out_scores
from asdlib.scoring.settings import ScoreSettings
from asdlib.workflow.recipe import Recipe

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedVariant:
    """Fitted backends, branch by branch and view by view, their fusion, and the scores of the training clips.

    `clips` is the metadata of the training clips, `train_score` (N,) their anomaly scores, each by backends that were
    not fitted to that clip, as far as the backends can leave it out. A clip whose score exceeds `threshold` is called
    anomalous; the share `quantile` of the normal clips shall stay below it. It is lower than that of the config if the
    clips are too few for it, and None for a published threshold of which the method says no such share.
    """

    branches: list[list[Any]]
    fusion: Fusion
    clips: pa.Table
    train_score: np.ndarray
    threshold: float
    quantile: float | None

    def anomaly_score(self, clips: pa.Table, views: Sequence[Embeddings]) -> np.ndarray:
        """Return one score per clip, (N,), for clips and embeddings as `read_views` returns them.

        Raises AsdError for a score that is not finite.
        """
        embeddings = iter(views)
        scores = [[backend.anomaly_score(next(embeddings)) for backend in backends] for backends in self.branches]
        return _finite(self.fusion(_means(scores)), clips)


def fit_variant(paths: list[Path], settings: ScoreSettings) -> FittedVariant:
    """Fit the backends of a variant to one section's training clips.

    `paths` are the files of embeddings, branch by branch and view by view. If the threshold shall be the published one,
    and the variant has a single backend that defines one, it is used. Otherwise it is fitted to the scores of the
    training clips (`left_out_quantile`).

    Raises AsdError for a section without training clips, for files that hold different clips, and for a score that is
    not finite.
    """
    clips, views = read_views(paths, "train", settings.section)
    trains = iter(views)
    branches, left_out = [], []
    for branch in settings.branches:
        make = partial(_backend, branch.backend)
        fitted = [(make().fit(train), train) for train in islice(trains, branch.views)]
        branches.append([backend for backend, _ in fitted])
        left_out.append([left_out_scores(backend, train, make) for backend, train in fitted])
    left_out = _means(left_out)
    for scores in left_out:
        _finite(scores, clips)
    fusion = Fusion(settings.fusion).fit(left_out)
    decision = _threshold(branches, clips, fusion.left_out_, settings)
    return FittedVariant(branches, fusion, clips, fusion.left_out_, *decision)


def read_views(paths: list[Path], kind: str, section: str) -> tuple[pa.Table, list[Embeddings]]:
    """Return the metadata of one section's clips and their embeddings, one item per file.

    `kind` is `train` or `test`. Raises AsdError if there are no such clips. All files must hold the same clips,
    because scores are combined row by row.
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


def _means(scores: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Average the scores of each branch's views."""
    return [np.mean(views, axis=0) for views in scores]


def _finite(scores: np.ndarray, clips: pa.Table) -> np.ndarray:
    if not np.isfinite(scores).all():
        # Its path below the dataset's folder.
        clip = clips.column("source_file")[int(np.flatnonzero(~np.isfinite(scores))[0])].as_py()
        raise AsdError(f"{clip}: its score is not finite: check the recording and the training's log")
    return scores


def _threshold(
    branches: list[list[Any]], clips: pa.Table, train_score: np.ndarray, settings: ScoreSettings
) -> tuple[float, float | None]:
    """Return the threshold and its quantile: that of the config, or of the method that publishes the threshold."""
    decision = settings.decision
    backends = [backend for views in branches for backend in views]
    if decision.threshold == "published":
        own = getattr(backends[0], "threshold_", None)
        if len(backends) == 1 and own is not None and settings.fusion == MEAN:  # other scores are on another scale
            return float(own), getattr(backends[0], "quantile", None)
        _log.info("the method publishes no threshold: it is fitted to the scores of the training clips")
    return left_out_quantile(train_score, clips.column("domain").to_pylist(), decision.quantile)
