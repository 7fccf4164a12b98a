"""Score new recordings with the models of a run.

The recordings go through the steps of the workflow in one process and a temporary folder: nothing is trained, and
nothing in `results` changes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from asdlib.commands.scoring_target import ScoringTarget
from asdlib.data.clip_audio import write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.layout import Clip
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
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
    """Anomaly scores (N,), the decision threshold, and their percentiles among the training clips.

    `percentile` (N,) is the share of the `n_train` normal training clips, in percent, that score lower;
    `threshold_percentile` is that of the threshold. `cut` and `padded` count the clips that were longer or shorter than
    the config says.
    """

    anomaly_score: np.ndarray
    percentile: np.ndarray
    threshold: float
    threshold_percentile: float
    n_train: int
    cut: int
    padded: int


def score_clips(graph: Graph, target: ScoringTarget, recordings: Sequence[Path]) -> Scores:
    """Score recordings, in their order, as the rule `score` scores test clips.

    Raises AsdError for a recording that `prepare` would refuse, and if the config has another clip format than the run.
    """
    _refuse_augmented(target)
    _refuse_other_format(graph, target)
    with TemporaryDirectory(prefix="asdlib-score-") as folder:
        pipeline = _Pipeline(graph, target, Path(folder))
        cut, padded = pipeline.prepare(recordings)
        made = [pipeline.embeddings(branch.model, view) for branch in target.variant.branches for view in branch.views]
        clips, views = read_views(made, "test", target.section)
    stored = [Path(path) for path in inputs.embeddings_of(target.variant, target.dataset, target.machine)]
    chosen = typed(ScoreSettings, settings.score(target.variant, target.section))
    fitted = fit_variant(stored, chosen, target.machine)
    scores = fitted.anomaly_score(clips, views, target.machine)
    n_train = len(fitted.train_score)
    lower = np.searchsorted(np.sort(fitted.train_score), [*scores, fitted.threshold])
    *percentiles, at_threshold = 100 * lower / n_train
    return Scores(scores, np.array(percentiles), fitted.threshold, float(at_threshold), n_train, cut, padded)


class _Pipeline:
    """The steps from recordings to embeddings; results that branches or views share are computed only once."""

    def __init__(self, graph: Graph, target: ScoringTarget, folder: Path):
        self._graph = graph
        self._target = target
        self._folder = folder
        self._processor = {"device": graph.config["device"], "gpus": graph.gpus, "threads": graph.config["threads"]}

    def prepare(self, recordings: Sequence[Path]) -> tuple[int, int]:
        """Read the recordings, which have no domain and no label; return how many were cut and how many padded."""
        dataset, machine, section = self._target.dataset, self._target.machine, self._target.section
        clips = [
            Clip(path, f"{machine}/test/{path.name}", section, "test", domain=None, label=None) for path in recordings
        ]
        wanted = self._graph.config["prepare"]
        recipe = {"dataset": dataset, "machine": machine, **wanted}
        return write_audio(clips, self._path("audio", RAW), recipe, typed(ClipFormat, wanted))

    def embeddings(self, model: Recipe, view: str) -> Path:
        """Return the file of a model's embeddings of one view of the clips."""
        out = self._path("embeddings", model.key, view)
        if not out.exists():
            weights = Path(inputs.weights(model, self._target.dataset, self._target.machine))
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
            (separator,) = separators_of(self._graph, view, self._target.dataset, self._target.machine)
            separate(self._path("audio", RAW), Path(separator), out, **self._processor)
        return out

    def _path(self, *parts: str) -> Path:
        path = self._folder.joinpath(*parts, "clips.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _refuse_augmented(target: ScoringTarget) -> None:
    for view in target.variant.views:
        if view.startswith("augmented/"):
            raise AsdError(f"{target.variant.system}: scores {view}, which no new clip has: choose another variant")


def _refuse_other_format(graph: Graph, target: ScoringTarget) -> None:
    """Compare the clip format, which is not part of any key, with that of the run's clips if they still exist."""
    path = Path(paths.audio(RAW, target.dataset, target.machine))
    if not path.exists():
        _log.warning("%s: is missing: cannot check that its clips were as long as these", path)
        return
    made = ClipTable(path).recipe
    for name in FORMAT:
        wanted = graph.config["prepare"][name]
        if made[name] != wanted:
            raise AsdError(f"config: prepare.{name}: is {wanted}, but {path} was made with {made[name]}: run again")
