"""How long a job takes: measured costs times the number of clips that it processes."""

from dataclasses import dataclass
from typing import Any

from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job
from asdlib.separation.settings import Pairs
from asdlib.training.settings import Training
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import machine_and_section, parse_features
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.words import RAW

# The recipe of a rule's jobs (registry, wildcard), and the cost that applies to them.
COMPUTED_WITH = {
    "train_separator": ("separators", "separator", "train"),
    "separate": ("separators", "separator", "clip"),
    "augment": ("augmentations", "augmentation", "clip"),
    "extract_features": ("frontends", "frontend", "clip"),
    "train_model": ("models", "model", "train"),
    "embed": ("models", "model", "clip"),
}
MEASURED = 10.0  # s: the length of the clips for which costs were measured


@dataclass(frozen=True)
class Time:
    """CPU seconds without a GPU, GPU seconds if the job asks for one, and the recipe if its cost is unknown."""

    cpu: float
    gpu: float
    unknown: str | None = None


class Hours:
    """The times that jobs take."""

    def __init__(self, graph: Graph, counts: ClipCounts, costs: Costs):
        self._graph = graph
        self._counts = counts
        self._costs = costs
        self._length = graph.config["prepare"]["seconds"] / MEASURED

    def of(self, job: Job) -> Time:
        """Return the time that a job takes; if its cost is unknown, only the time to start it."""
        start = self._costs.start.get(job.rule, 0.0)
        if job.rule in ("prepare", "prepare_far"):
            return Time(start + self._clips(job, RAW) * self._costs.prepare, 0.0)
        if job.rule not in COMPUTED_WITH:
            return Time(start, 0.0)
        registry, wildcard, work = COMPUTED_WITH[job.rule]
        recipe = self._graph.recipe(registry, job.wildcards[wildcard])
        cost = self._costs.of(recipe)
        if cost is None:
            return Time(start, start if job.gpus else 0.0, f"{registry}.{recipe.name}")
        amount = self._amount(job, recipe, cost)
        gpu = start + self._costs.on_gpu(cost, work) * amount if job.gpus and "gflop" in cost else 0.0
        return Time(start + cost[work] * amount, gpu)

    def _amount(self, job: Job, recipe: Recipe, cost: dict[str, Any]) -> float:
        """Return the number of units (clips, or seconds of mixture) that the cost of a job is multiplied by."""
        if job.rule == "train_separator":
            return mixtures(recipe.settings) if separates(job, recipe, self._counts) else 0.0
        if job.rule == "separate":
            return self._clips(job, RAW) if separates(job, recipe, self._counts) else 0.0
        if job.rule == "augment":
            return self._clips(job, f"augmented/{recipe.key}")
        if job.rule == "extract_features":
            return self._clips(job, job.wildcards["view"], *kinds_of(job))
        if job.rule == "embed":
            return self._clips(job, job.wildcards["view"], "train", "test")
        clips = training_clips(job, self._counts)
        return clips_seen(recipe.settings, clips, self._length, cost.get("examples", 1))

    def _clips(self, job: Job, view: str, *kinds: str) -> float:
        """Return the number of a machine's clips of some kinds (by default all), in clips of 10 s."""
        counts = self._counts.of(view, job.wildcards["dataset"], job.wildcards["machine"])
        return self._length * sum(counts[kind] for kind in kinds or counts)


def kinds_of(job: Job) -> tuple[str, ...]:
    """Return the kinds of clips of which a job extracts features."""
    return ("train",) if job.wildcards["part"] else ("train", "test")


def separates(job: Job, recipe: Recipe, counts: ClipCounts) -> bool:
    """Return whether a machine's clips are separated; without clean clips, most recipes train no separator."""
    if not recipe.trained:
        return True
    clean = counts.of(RAW, job.wildcards["dataset"], job.wildcards["machine"])["clean"]
    return clean > 0 or Pairs(**recipe.settings["pairs"]).noise_only != "identity"


def mixtures(settings: Settings) -> float:
    """Return the seconds of mixtures that a separator is trained on, unless it stops early."""
    pairs = Pairs(**settings["pairs"])
    return Training(**settings["training"]).epochs * pairs.per_epoch * pairs.segment


def clips_seen(settings: Settings, clips: int, length: float, examples: float) -> float:
    """Return how many clips of 10 s a model is trained on, summed over the epochs.

    `clips` are its training clips, each as long as `length` clips of 10 s. `examples` is the number of examples of a
    clip of 10 s: windows, if it is more than one, or else whole clips or rounds of them.
    """
    training = Training(**settings["training"])
    if not training.steps_per_epoch:
        return training.epochs * length * clips
    drawn = training.steps_per_epoch * training.batch_size * training.accumulate
    are_windows = examples > 1  # as long in short clips as in long ones
    return training.epochs * drawn / examples * (1 if are_windows else length)


def training_clips(job: Job, counts: ClipCounts) -> int:
    """Return how many training clips a model's feature files hold."""
    clips = sum(counts.of(*clips)["train"] for clips in map(parse_features, job.inputs) if clips)
    machine, section = machine_and_section(job.wildcards["machine"])
    return clips // len(counts.sections(job.wildcards["dataset"], machine)) if section else clips
