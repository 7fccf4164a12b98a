"""The run times that jobs ask a scheduler for: the plan's estimate with a margin, and no less than the rule's own."""

import math
from collections.abc import Collection, Mapping

from asdlib.errors import AsdError
from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job
from asdlib.planning.hours import Hours
from asdlib.workflow import settings
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS

MARGIN = 1.5  # for slower nodes; a training that is ended by its limit continues where it was stored


class Limits:
    """The run times of the computing jobs of a graph."""

    def __init__(self, graph: Graph):
        self._graph = graph
        costs = Costs(graph.root / COSTS, graph.config["override"])
        self._hours = Hours(graph, ClipCounts(graph, (), thorough=False), costs)

    def minutes(self, rule: str, wildcards: Mapping[str, str], inputs: Collection[str], least: int) -> int:
        """Return the run time of a job in minutes: `least`, or more if it is estimated to take longer.

        Without a GPU, the estimate is that of the config's number of threads.
        """
        gpus = settings.gpus_to_embed(self._graph, wildcards["model"]) if rule == "embed" else self._graph.gpus
        job = Job(rule, tuple(inputs), (), dict(wildcards), gpus)
        try:
            time = self._hours.of(job)
        except AsdError:  # the recordings cannot be counted: `prepare` fails and says why
            return least
        seconds = time.gpu if job.gpus else time.cpu / self._graph.config["threads"]
        return max(least, math.ceil(MARGIN * seconds / self._devices(job) / 60))

    def _devices(self, job: Job) -> int:
        registry = {"train_model": "models", "train_separator": "separators"}.get(job.rule)
        return self._graph.devices(registry, job.wildcards[registry.removesuffix("s")]) if registry else 1
