"""Scores of new recordings by what a run has trained.

They take the workflow's own road, step by step, in one process and a temporary folder: nothing is trained, and nothing
in `results` changes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from asdlib.data.clip_audio import write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.layout import Clip
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.planning.trained import Place
from asdlib.scoring.fitted_variant import fit_variant, read_views
from asdlib.scoring.settings import ScoreSettings
from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.separate import separate
from asdlib.workflow import inputs, paths, settings
from asdlib.workflow.ancestry import separators_of
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.words import RAW

_log = logging.getLogger(__name__)
FORMAT = ("sample_rate", "seconds")  # the settings of `prepare` that new clips must share with the training clips


@dataclass(frozen=True)
class Scores:
    """Anomaly scores (N,), the decision threshold, and what puts a score into perspective.

    `percentile` (N,) is the share of the `n_train` normal training clips, in percent, whose own scores are lower;
    `threshold_percentile` is that of the threshold. `cut` and `padded` count clips of another length than the config's.
    """

    anomaly_score: np.ndarray
    percentile: np.ndarray
    threshold: float
    threshold_percentile: float
    n_train: int
    cut: int
    padded: int


def score_clips(graph: Graph, place: Place, recordings: Sequence[Path]) -> Scores:
    """Score recordings, in their order, as the rule `score` does test clips.

    Raises AsdError for a recording that `prepare` would refuse, and for a config of another clip format than the run's.
    """
    _refuse_augmented(place)
    _refuse_other_format(graph, place)
    with TemporaryDirectory(prefix="asdlib-score-") as folder:
        road = _Road(graph, place, Path(folder))
        cut, padded = road.prepare(recordings)
        made = [road.embeddings(branch.model, view) for branch in place.variant.branches for view in branch.views]
        clips, views = read_views(made, "test", place.section)
    stored = [Path(path) for path in inputs.embeddings_of(place.variant, place.dataset, place.machine)]
    chosen = typed(ScoreSettings, settings.score(place.variant, place.section))
    fitted = fit_variant(stored, chosen, place.machine)
    scores = fitted.anomaly_score(clips, views, place.machine)
    n_train = len(fitted.train_score)
    lower = np.searchsorted(np.sort(fitted.train_score), [*scores, fitted.threshold])
    *percentiles, at_threshold = 100 * lower / n_train
    return Scores(scores, np.array(percentiles), fitted.threshold, float(at_threshold), n_train, cut, padded)


class _Road:
    """The steps from recordings to embeddings; what several branches or views share is made once."""

    def __init__(self, graph: Graph, place: Place, folder: Path):
        self._graph = graph
        self._place = place
        self._folder = folder
        self._processor = {"device": graph.config["device"], "gpus": graph.gpus, "threads": graph.config["threads"]}

    def prepare(self, recordings: Sequence[Path]) -> tuple[int, int]:
        """Read the recordings; return how many were cut and how many padded. Only their sound is known."""
        dataset, machine, section = self._place.dataset, self._place.machine, self._place.section
        clips = [
            Clip(path, f"{machine}/test/{path.name}", section, "test", domain=None, label=None) for path in recordings
        ]
        wanted = self._graph.config["prepare"]
        recipe = {"dataset": dataset, "machine": machine, **wanted}
        return write_audio(clips, self._path("audio", RAW), recipe, typed(ClipFormat, wanted))

    def embeddings(self, model: Recipe, view: str) -> Path:
        """Return the representations that a model makes of one view of the clips."""
        out = self._path("embeddings", model.key, view)
        if not out.exists():
            weights = Path(inputs.weights(model, self._place.dataset, self._place.machine))
            embed(self._features(model.frontend, view), weights, out, **self._processor)
        return out

    def _features(self, frontend: Recipe, view: str) -> Path:
        out = self._path("features", frontend.key, view)
        if not out.exists():
            extract_features(self._audio(view), out, frontend.settings)
        return out

    def _audio(self, view: str) -> Path:
        out = self._path("audio", view)
        if not out.exists():
            (separator,) = separators_of(self._graph, view, self._place.dataset, self._place.machine)
            separate(self._path("audio", RAW), Path(separator), out, **self._processor)
        return out

    def _path(self, *parts: str) -> Path:
        path = self._folder.joinpath(*parts, "clips.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _refuse_augmented(place: Place) -> None:
    for view in place.variant.views:
        if view.startswith("augmented/"):
            raise AsdError(f"{place.variant.system}: scores {view}, which no new clip has: choose another variant")


def _refuse_other_format(graph: Graph, place: Place) -> None:
    """Compare the clip format, which is no part of any key, with that of the run's own clips, if they are kept."""
    path = Path(paths.audio(RAW, place.dataset, place.machine))
    if not path.exists():
        _log.warning("%s: is gone, so nobody knows whether its clips were as long as these", path)
        return
    made = ClipTable(path).recipe
    for name in FORMAT:
        wanted = graph.config["prepare"][name]
        if made[name] != wanted:
            raise AsdError(f"config: prepare.{name}: is {wanted}, but {path} was made with {made[name]}: run again")
