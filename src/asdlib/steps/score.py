"""Fit a variant's backends on a machine's normal training clips and score its test clips."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import read_embeddings
from asdlib.backends.thresholds import gamma_quantile
from asdlib.errors import AsdError
from asdlib.recipe_keys import arguments
from asdlib.submission import write_decisions, write_scores

_log = logging.getLogger(__name__)


def score(embeddings: list[Path], machine: str, folder: Path, settings: dict[str, Any]) -> None:
    """Write `anomaly_score_…` and `decision_result_…` of one machine and section into `folder`.

    `embeddings` come branch by branch, view by view. The scores of a branch's views are averaged, then those of the
    branches. A clip is called anomalous if its score exceeds the threshold: the one that a lone backend defines, else
    a quantile of a gamma distribution fitted to the training clips' own scores.
    """
    paths = iter(embeddings)
    scored = [
        [_fit(branch["backend"], next(paths), settings["section"]) for _ in range(branch["views"])]
        for branch in settings["branches"]
    ]
    names = _common_names([view[2] for branch in scored for view in branch], embeddings)
    test = np.mean([np.mean([view[1] for view in branch], axis=0) for branch in scored], axis=0)
    if not np.isfinite(test).all():
        clip = names[int(np.flatnonzero(~np.isfinite(test))[0])]
        raise AsdError(f"{machine}/{clip}: its score is not finite: check the recording and the training's log")
    threshold = _threshold([view[0] for branch in scored for view in branch], scored, settings)
    _log.info("%s: %d clips, threshold %.6g", machine, len(names), threshold)
    write_scores(folder, machine, settings["section"], zip(names, test.tolist(), strict=True))
    write_decisions(folder, machine, settings["section"], zip(names, (test > threshold).tolist(), strict=True))


def _fit(settings: dict[str, Any], path: Path, section: str) -> tuple[Any, np.ndarray, list[str]]:
    """Return the fitted backend, the test clips' scores and their file names."""
    backend = BACKENDS[settings["kind"]](**arguments("backends", settings))
    _, train = read_embeddings(path, "train", section)
    clips, test = read_embeddings(path, "test", section)
    names = [name.rpartition("/")[2] for name in clips.column("source_file").to_pylist()]
    if not names or not train.domains:
        missing = "training" if names else "test"
        raise AsdError(f"{path}: section {section} has no {missing} clips: add some, or leave the section out")
    return backend.fit(train), backend.anomaly_score(test), names


def _common_names(names: list[list[str]], paths: list[Path]) -> list[str]:
    """Return the test clips' names: scores are joined row by row, so every view must hold the same clips."""
    for other, path in zip(names, paths, strict=True):
        if other != names[0]:
            raise AsdError(f"{path}: holds other test clips than {paths[0]}: delete both and run again")
    return names[0]


def _threshold(backends: list[Any], scored: list[list[tuple]], settings: dict[str, Any]) -> float:
    own = getattr(backends[0], "threshold_", None)
    if len(backends) == 1 and own is not None:
        return own
    train = np.mean([np.mean([view[0].train_score_ for view in branch], axis=0) for branch in scored], axis=0)
    return gamma_quantile(train, settings["decision"]["quantile"])
