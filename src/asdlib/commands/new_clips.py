"""Score new recordings with the models of a run.

The recordings go through the steps of the workflow in one process and a temporary folder: nothing is trained, and
nothing in `results` changes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asdlib.commands.scoring_target import ScoringTarget
from asdlib.data.clip import Clip
from asdlib.data.clip_audio import Written, read_clip, write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.frontends import FRONTENDS
from asdlib.runtime.cleanup import temporary_folder
from asdlib.scoring.fitted_variant import file_names, fit_variant, read_views
from asdlib.scoring.settings import ScoreSettings
from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.separate import separate
from asdlib.training.short_clips import least_frames
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
    the config says. `clips` (N,) are the recordings that were scored, or the clips that they were split into; `refused`
    are the messages about the others.
    """

    clips: list[Path]
    refused: list[str]
    anomaly_score: np.ndarray
    percentile: np.ndarray
    threshold: float
    threshold_percentile: float
    n_train: int
    cut: int
    padded: int


def score_clips(graph: Graph, target: ScoringTarget, recordings: Sequence[Path]) -> Scores:
    """Score recordings, in their order, as the rule `score` scores test clips.

    A recording that `prepare` would refuse, or that is too short for a model, is left out, and the result says why.
    Raises AsdError if no recording is left, and if the config has another clip format than the run.
    """
    _refuse_augmented(target)
    _refuse_other_format(graph, target)
    usable, refused = _sorted_out(graph, target, recordings)
    with temporary_folder("asdlib-score") as folder:
        pipeline = _Pipeline(graph, target, folder)
        written = pipeline.prepare(usable)
        made = [pipeline.embeddings(branch.model, view) for branch in target.variant.branches for view in branch.views]
        clips, views = read_views(made, "test", target.section)
    stored = [Path(path) for path in inputs.embeddings_of(target.variant, target.dataset, target.machine)]
    chosen = typed(ScoreSettings, settings.score(graph, target.variant, target.dataset, target.section))
    fitted = fit_variant(stored, chosen)
    scores = fitted.anomaly_score(clips, views)
    n_train = len(fitted.train_score)
    lower = np.searchsorted(np.sort(fitted.train_score), [*scores, fitted.threshold])
    *percentiles, at_threshold = 100 * lower / n_train
    figures = scores, np.array(percentiles), fitted.threshold, float(at_threshold), n_train, written.cut, written.padded
    return Scores(_names(usable, written, file_names(clips)), refused, *figures)


class _Pipeline:
    """The steps from recordings to embeddings; results that branches or views share are computed only once."""

    def __init__(self, graph: Graph, target: ScoringTarget, folder: Path):
        self._graph = graph
        self._target = target
        self._folder = folder
        self._processor = {"device": graph.config["device"], "gpus": graph.gpus, "threads": graph.config["threads"]}

    def prepare(self, clips: Sequence[Clip]) -> Written:
        """Store the clips; return how many each recording has, and how many were cut or padded."""
        wanted = self._graph.config["prepare"]
        recipe = {"dataset": self._target.dataset, "machine": self._target.machine, **wanted}
        return write_audio(clips, self._path("audio", RAW), recipe, typed(ClipFormat, wanted))

    def embeddings(self, model: Recipe, view: str) -> Path:
        """Return the file of a model's embeddings of one view of the clips."""
        out = self._path("embeddings", model.key, view)
        if not out.exists():
            where = self._graph, model, self._target.dataset, self._target.machine
            own = inputs.section_models(*where).get(self._target.section, inputs.all_weights(*where)[0])
            embed(self._features(model.frontend, view), Path(own), out, **self._processor)
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


def _sorted_out(graph: Graph, target: ScoringTarget, recordings: Sequence[Path]) -> tuple[list[Clip], list[str]]:
    """Return the recordings that can be scored, as clips without domain and label, and what is wrong with the others.

    Raises AsdError if none can be scored. Recordings are read here and again by `prepare`, because all of them may
    not fit into memory.
    """
    wanted = typed(ClipFormat, graph.config["prepare"])
    models = {branch.model.key: branch.model for branch in target.variant.branches}.values()
    frontends = [FRONTENDS[model.frontend.kind](**model.frontend.arguments) for model in models]
    usable, refused = [], []
    for path in recordings:
        clip = Clip(path, f"{target.machine}/test/{path.name}", target.section, "test", domain=None, label=None)
        try:
            samples = min(len(read_clip(clip, wanted)), wanted.samples)
            for model, frontend in zip(models, frontends, strict=True):
                _refuse_short(path, frontend.frames(samples), model)
            usable.append(clip)
        except AsdError as error:
            refused.append(str(error))
    if not usable:
        more = f" ({len(refused)} recordings, none can be scored)" if len(refused) > 1 else ""
        raise AsdError(f"{refused[0]}{more}")
    return usable, refused


def _names(recordings: Sequence[Clip], written: Written, clips: list[str]) -> list[Path]:
    """Return the paths of recordings, and for the clips of one that was split, the names that they have."""
    numbers = zip(recordings, written.pieces, strict=True)
    origins = [(recording.path, number > 1) for recording, number in numbers for _ in range(number)]
    return [path.with_name(clip) if split else path for (path, split), clip in zip(origins, clips, strict=True)]


def _refuse_short(path: Path, frames: int, model: Recipe) -> None:
    least = least_frames(model)
    if frames < least:
        raise AsdError(f"{path}: has {frames} frames, {model.name} needs {least}: give a longer recording")


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
