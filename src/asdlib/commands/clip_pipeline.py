"""The steps of the workflow from recordings to the embeddings of one variant, in this process."""

from collections.abc import Sequence
from pathlib import Path

from asdlib.commands.scoring_target import ScoringTarget
from asdlib.data.clip import Clip
from asdlib.data.clip_audio import Written, write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.steps.embed import Embedder
from asdlib.steps.extract_features import extract_features
from asdlib.steps.separate import ChannelSeparator, ClipSeparator
from asdlib.training.frozen_model import FrozenModel
from asdlib.workflow import settings
from asdlib.workflow.ancestry import reads_far, separators_of
from asdlib.workflow.graph import Graph
from asdlib.workflow.inputs import weights_of_section
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.settings import clip_format
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.words import FAR, RAW


class ClipPipeline:
    """Networks are loaded when they are first used, and kept for the next recordings.

    Results that branches or views share are computed only once.
    """

    def __init__(self, graph: Graph, target: ScoringTarget):
        self._graph = graph
        self._target = target
        self._processor = {"device": graph.config["device"], "gpus": graph.gpus, "threads": graph.config["threads"]}
        self._embedders: dict[str, Embedder] = {}
        self._separators: dict[str, ClipSeparator | ChannelSeparator] = {}

    def load(self) -> None:
        """Load all networks, so that what is wrong with them is found before the first recording."""
        for branch in self._target.variant.branches:
            self._embedder(branch.model)
            for view in branch.views:
                if view not in (RAW, FAR):
                    self._separator(view)

    def prepare(self, clips: Sequence[Clip], folder: Path) -> Written:
        """Store the clips in `folder`; return how many each recording has, and how many were cut or padded."""
        if any(reads_far(self._graph, view) for view in self._target.variant.views):
            self._written(clips, folder, FAR)
        return self._written(clips, folder, RAW)

    def embeddings(self, folder: Path) -> list[Path]:
        """Return the files of the stored clips' embeddings, branch by branch and view by view."""
        branches = self._target.variant.branches
        return [self._embedded(folder, branch.model, view) for branch in branches for view in branch.views]

    def _written(self, clips: Sequence[Clip], folder: Path, view: str) -> Written:
        """Store the clips of one microphone."""
        wanted = clip_format(self._graph.config["prepare"], self._graph.all_datasets[self._target.dataset], view)
        recipe = {"dataset": self._target.dataset, "machine": self._target.machine, **wanted}
        return write_audio(clips, _path(folder, "audio", view), recipe, typed(ClipFormat, wanted))

    def _embedded(self, folder: Path, model: Recipe, view: str) -> Path:
        out = _path(folder, "embeddings", model.key, view)
        if not out.exists():
            self._embedder(model).write(self._features(folder, model.frontend, view), out)
        return out

    def _features(self, folder: Path, frontend: Recipe, view: str) -> Path:
        out = _path(folder, "features", frontend.key, view)
        if not out.exists():
            extract_features(self._audio(folder, view), out, frontend.settings)
        return out

    def _audio(self, folder: Path, view: str) -> Path:
        out = _path(folder, "audio", view)
        if not out.exists():
            heard = [RAW, FAR] if reads_far(self._graph, view) else [RAW]
            microphones = [_path(folder, "audio", one) for one in heard]
            self._separator(view).write(*microphones, out)
        return out

    def _embedder(self, model: Recipe) -> Embedder:
        if model.key not in self._embedders:
            frozen = settings.frozen(self._graph, model)
            if frozen:
                self._embedders[model.key] = Embedder(None, **self._processor, frozen=typed(FrozenModel, frozen))
            else:
                target = self._target
                weights = weights_of_section(self._graph, model, target.dataset, target.machine, target.section)
                self._embedders[model.key] = Embedder(Path(weights), **self._processor)
        return self._embedders[model.key]

    def _separator(self, view: str) -> ClipSeparator | ChannelSeparator:
        if view not in self._separators:
            self._separators[view] = self._load_separator(view)
        return self._separators[view]

    def _load_separator(self, view: str) -> ClipSeparator | ChannelSeparator:
        if reads_far(self._graph, view):
            recipe = self._graph.recipe("separators", view.removeprefix("separated/"))
            return ChannelSeparator(recipe.settings, self._processor["threads"])
        (weights,) = separators_of(self._graph, view, self._target.dataset, self._target.machine)
        return ClipSeparator(Path(weights), **self._processor)


def _path(folder: Path, *parts: str) -> Path:
    path = folder.joinpath(*parts, "clips.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
