"""How much disk space the results of a job take."""

from functools import cache
from math import prod

from asdlib.data.channels import FAR, NEAR
from asdlib.data.listing import recordings, status
from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job
from asdlib.planning.hours import kinds_of, separates, training_clips
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.words import ALL, RAW

GB = 1e9
SAMPLE = 2  # bytes, int16
PACKED = 0.5  # share of the samples' bytes that a table takes (docs/benchmarks.md, Feature cache)
VALUE = 4  # bytes of a float32: of an embedding, or a sample of a separator without a training
COUNTED = 160_000  # samples of the clips whose features resources/costs.yaml counts
NUMBER = {"float32": 4, "float16": 2}  # bytes of a feature


class Sizes:
    """Bytes that jobs write, without small files such as tables of scores and logs."""

    def __init__(self, graph: Graph, counts: ClipCounts, costs: Costs):
        self._graph = graph
        self._counts = counts
        self._costs = costs
        self._samples = round(graph.config["prepare"]["seconds"] * graph.config["prepare"]["sample_rate"])
        self._rules = {
            "download": self._download,
            "prepare": lambda job: self._audio(job, RAW),
            "prepare_far": lambda job: self._audio(job, RAW),
            "prepare_noise": self._noise,
            "separate": self._separated,
            "augment": lambda job: self._audio(job, f"augmented/{job.wildcards['augmentation']}"),
            "extract_features": self._features,
            "fetch_checkpoint": lambda job: GB * self._costs.checkpoints.get(job.wildcards["checkpoint"], 0.0),
            "train_separator": lambda job: self._weights("separators", job.wildcards["separator"]),
            "train_model": lambda job: self._weights("models", job.wildcards["model"]),
            "embed": self._embeddings,
        }

    def of(self, job: Job) -> float:
        """Return the bytes of a job's results."""
        return self._rules[job.rule](job) if job.rule in self._rules else 0.0

    def recordings(self, job: Job) -> float:
        """Return the bytes of the recordings that a `download` makes."""
        microphones = 2 if self._graph.all_datasets[job.wildcards["dataset"]].channel in (NEAR, FAR) else 1
        return microphones * SAMPLE * self._samples * self._clips(job, RAW)

    def scratch(self, job: Job) -> float:
        """Return the bytes that a joint training needs while it runs: a copy of its features."""
        if job.rule != "train_model" or job.wildcards["machine"] != ALL:
            return 0.0
        frontend = self._graph.recipe("models", job.wildcards["model"]).frontend
        return training_clips(job, self._counts) * self._feature(frontend.key)

    def _download(self, job: Job) -> float:
        """Return the bytes of recordings and of their archives, which are about as large and are kept."""
        archived = "archives" in self._graph.all_datasets[job.wildcards["dataset"]].source
        return (2 if archived else 1) * self.recordings(job)

    def _noise(self, job: Job) -> float:
        pool = self._graph.all_datasets[job.wildcards["dataset"]].noise_pool
        return PACKED * sum(status(entry).st_size for entry in recordings(pool))

    def _audio(self, job: Job, view: str) -> float:
        return PACKED * SAMPLE * self._samples * self._clips(job, view)

    def _separated(self, job: Job) -> float:
        """Return the bytes of separated clips; recordings that pass unchanged are not copied."""
        recipe = self._graph.recipe("separators", job.wildcards["separator"])
        if not recipe.trained:
            return VALUE * self._samples * self._clips(job, RAW)
        return self._audio(job, RAW) if separates(job, recipe, self._counts) else 0.0

    def _features(self, job: Job) -> float:
        return self._feature(job.wildcards["frontend"]) * self._clips(job, job.wildcards["view"], *kinds_of(job))

    def _weights(self, registry: str, key: str) -> float:
        cost = self._costs.of(self._graph.recipe(registry, key))
        return GB * cost["weights"] if cost else 0.0

    def _embeddings(self, job: Job) -> float:
        cost = self._costs.of(self._graph.recipe("models", job.wildcards["model"]))
        return VALUE * cost["values"] * self._clips(job, job.wildcards["view"], "train", "test") if cost else 0.0

    def _clips(self, job: Job, view: str, *kinds: str) -> int:
        counts = self._counts.of(view, job.wildcards["dataset"], job.wildcards["machine"])
        return sum(counts[kind] for kind in kinds or counts)

    @cache  # noqa: B019 (one plan per process)
    def _feature(self, key: str) -> int:
        """Return the bytes of one clip's features."""
        recipe = self._graph.recipe("frontends", key)
        cost = self._costs.of(recipe)
        values = cost["values"] if cost and self._samples == COUNTED else self._computed(recipe)
        return NUMBER[recipe.settings.get("dtype", "float32")] * values

    def _computed(self, recipe: Recipe) -> int:
        """Return how many numbers the features of one clip have, whatever the recipe and the length of the clips."""
        from asdlib.frontends import FRONTENDS  # imports torch, which takes seconds

        return prod(FRONTENDS[recipe.kind](**recipe.arguments).shape(self._samples))
