"""Score new recordings with the models of a run.

The recordings go through the steps of the workflow in one process and a temporary folder: nothing is trained, and
nothing in `results` changes.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from asdlib.commands.clip_pipeline import ClipPipeline
from asdlib.commands.scoring_target import ScoringTarget, fitted
from asdlib.data.channels import channel_number
from asdlib.data.clip import Clip
from asdlib.data.clip_audio import Written, read_clip, split
from asdlib.data.clip_format import SPLIT, ClipFormat
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.frontends import FRONTENDS
from asdlib.runtime.cleanup import temporary_folder
from asdlib.scoring.fitted_variant import FittedVariant, file_names, read_views
from asdlib.training.short_clips import least_frames
from asdlib.workflow import paths, settings
from asdlib.workflow.ancestry import reads_far
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.words import FAR, RAW

_log = logging.getLogger(__name__)
# The settings of `prepare` that new clips must share with the training clips. `resample` and `allow_silent` only decide
# which recordings are refused, and `longer` how many clips a recording becomes.
FORMAT = ("sample_rate", "seconds", "channel", "downmix")


@dataclass(frozen=True)
class Scores:
    """Anomaly scores (N,) of clips, the decision threshold, and what they are compared with.

    `train_score` are the scores of the normal training clips, in rising order. `cut` and `padded` count the clips that
    were longer or shorter than the config says. `clips` (N,) are the recordings that were scored, or the clips that
    they were split into; `files` (R,) are these recordings, and `pieces` (R,) the number of clips of each. `refused`
    are the messages about the others.
    """

    clips: list[Path]
    refused: list[str]
    anomaly_score: np.ndarray
    threshold: float
    train_score: np.ndarray
    cut: int
    padded: int
    files: list[Path]
    pieces: list[int]

    def percentiles(self, scores: np.ndarray) -> np.ndarray:
        """Return the share of the training clips, in percent, that score lower."""
        return 100 * np.searchsorted(self.train_score, scores) / len(self.train_score)

    def by_file(self) -> list[np.ndarray]:
        """Return the scores of the clips of each recording."""
        return np.split(self.anomaly_score, np.cumsum(self.pieces)[:-1])


class Scorer:
    """A variant that scores recordings of a machine; what is loaded for the first ones is kept for the next.

    Raises AsdError if new clips cannot have a view of the variant, and if the config has another clip format than the
    run.
    """

    def __init__(self, graph: Graph, target: ScoringTarget):
        _refuse_augmented(target)
        _refuse_other_format(graph, target)
        self._graph = graph
        self._target = target
        self._pipeline = ClipPipeline(graph, target)

    def load(self) -> float:
        """Load the networks and fit the backends before the first recording; return the threshold."""
        self._pipeline.load()
        return self._fitted.threshold

    def score(self, recordings: Sequence[Path]) -> Scores:
        """Score recordings, in their order, as the rule `score` scores test clips.

        A recording that `prepare` would refuse, or that is too short for a model, is left out, and the result says why.
        Raises AsdError if no recording is left.
        """
        usable, refused = _sorted_out(self._graph, self._target, recordings)
        with temporary_folder("asdlib-score") as folder:
            written = self._pipeline.prepare(usable, folder)
            clips, views = read_views(self._pipeline.embeddings(folder), "test", self._target.section)
        variant = self._fitted
        scores = variant.anomaly_score(clips, views)
        figures = scores, variant.threshold, np.sort(variant.train_score), written.cut, written.padded
        names = _names(usable, written, file_names(clips))
        return Scores(names, refused, *figures, [clip.path for clip in usable], written.pieces)

    @cached_property
    def _fitted(self) -> FittedVariant:
        return fitted(self._graph, self._target)


def _sorted_out(graph: Graph, target: ScoringTarget, recordings: Sequence[Path]) -> tuple[list[Clip], list[str]]:
    """Return the recordings that can be scored, as clips without domain and label, and what is wrong with the others.

    Raises AsdError if none can be scored. Recordings are read here and again by `prepare`, because all of them may
    not fit into memory.
    """
    far = any(reads_far(graph, view) for view in target.variant.views)
    of = graph.config["prepare"], graph.all_datasets[target.dataset]
    wanted = [typed(ClipFormat, settings.clip_format(*of, view)) for view in ([RAW, FAR] if far else [RAW])]
    models = {branch.model.key: branch.model for branch in target.variant.branches}.values()
    frontends = [FRONTENDS[model.frontend.kind](**model.frontend.arguments) for model in models]
    usable, refused = [], []
    for path in recordings:
        clip = Clip(path, f"{target.machine}/test/{path.name}", target.section, "test", domain=None, label=None)
        try:
            samples = min(_shortest(clip, form) for form in wanted)
            for model, frontend in zip(models, frontends, strict=True):
                _refuse_short(path, frontend.frames(samples), model)
            usable.append(clip)
        except AsdError as error:
            refused.append(str(error))
    if not usable:
        more = f" ({len(refused)} recordings, none can be scored)" if len(refused) > 1 else ""
        raise AsdError(f"{refused[0]}{more}")
    return usable, refused


def _shortest(clip: Clip, form: ClipFormat) -> int:
    """Return the samples of the shortest clip that `prepare` makes of a recording; raise AsdError where it would."""
    if form.longer == SPLIT:
        return min(len(samples) for _, samples in split(clip, form))
    return min(len(read_clip(clip, form)), form.samples)


def _names(recordings: Sequence[Clip], written: Written, clips: list[str]) -> list[Path]:
    """Return the paths of recordings, and for the clips of one that was split, the names that they have."""
    numbers = zip(recordings, written.pieces, strict=True)
    origins = [(recording.path, number > 1) for recording, number in numbers for _ in range(number)]
    return [path.with_name(clip) if several else path for (path, several), clip in zip(origins, clips, strict=True)]


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
        names = ", ".join(FORMAT)
        _log.warning("%s: is missing: cannot check that prepare has the run's settings (%s)", path, names)
        return
    made = _format(ClipTable(path).recipe)
    wanted = _format(settings.clip_format(graph.config["prepare"], graph.all_datasets[target.dataset]))
    if names := _differing(made, wanted):
        now, then = _shown(wanted, names), _shown(made, names)
        remedy = "set what the run had, or run again with this"
        raise AsdError(f"config: prepare: is {now}, but {path} was made with {then}: {remedy}")


def _format(chosen: Settings) -> ClipFormat:
    """Return the clip format in the recipe of a table, which has more, or in the config."""
    return ClipFormat(**{one.name: chosen[one.name] for one in fields(ClipFormat) if one.name in chosen})


def _differing(made: ClipFormat, wanted: ClipFormat) -> list[str]:
    """Return the settings of FORMAT by which a recording like the run's becomes another clip."""
    channels = [channel_number(chosen.channel) for chosen in (made, wanted)]
    same = {"channel"} if channels[0] == channels[1] else set()  # such as near and 0
    same |= {"downmix"} if same and channels[0] is not None else set()  # a chosen channel is used whatever it says
    if channels[0] is None and not made.downmix:  # the run's are mono: how others become so is the user's choice
        same = {"channel", "downmix"}
    return [name for name in FORMAT if name not in same and getattr(made, name) != getattr(wanted, name)]


def _shown(chosen: ClipFormat, names: Sequence[str]) -> str:
    """Return settings as they are written in a config."""
    values = [f"{name}: {json.dumps(getattr(chosen, name))}" for name in names]
    return f"{{{', '.join(values)}}}".replace('"', "")
