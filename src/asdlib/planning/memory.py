"""The memory that jobs ask for: a rule's own value on a cluster and on GPUs, and the measured one on this machine."""

import logging
import math
import os
from collections.abc import Iterable, Mapping

from asdlib.planning.costs import SCALED
from asdlib.planning.hours import COMPUTED_WITH, MEASURED
from asdlib.workflow import yaml_files
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import MEMORY

MARGIN = 1.3  # what is asked for, by what was measured
IN_TRAINING = {"batch_size", "micro_batch"}  # settings of a training that decide its memory
IN_PAIRS = {"segment"}
_log = logging.getLogger(__name__)


class Memory:
    """The `mem_mb` of the jobs of a graph.

    `is_local`: the jobs run where Snakemake runs. `limit` is the memory that they have together, or None. `gpus` is the
    number of GPUs that they may use, or None if it is not limited.
    """

    def __init__(self, graph: Graph, is_local: bool, limit: int | None, gpus: int | None):
        self._graph = graph
        self._is_local = is_local
        self._limit = limit
        self._on_gpus = graph.gpus > 0 and gpus != 0
        self._table = yaml_files.read_yaml(graph.root / MEMORY)
        self._warned: set[str] = set()

    def mb(self, rule: str, wildcards: Mapping[str, str], own: int, attempt: int, files: Iterable[str] = ()) -> int:
        """Return what a job asks for in MB; `own` is the rule's value, and `files` are those that it has in memory.

        Their size is only asked for if it counts, because it is unknown before they are made.

        Schedulers count the page cache. Here it takes no memory from others, so a joint training, which leaves its
        features on the disk, does not ask for their size.
        """
        if not self._is_local:
            return own * attempt + self._of_files(rule, files, attempt)
        peak = self._peak(rule, wildcards)
        needed = (own if peak is None else peak) * attempt
        if wildcards.get("machine") != "all":
            needed += self._of_files(rule, files, attempt)
        self._warn(rule, wildcards, needed)
        return needed

    def _peak(self, rule: str, wildcards: Mapping[str, str]) -> int | None:
        """Return the peak of a rule's job with its margin; None if it is not known."""
        if rule in self._table["jobs"]:
            return self._with_margin(self._table["jobs"][rule])
        if rule not in ("train_separator", "separate", "train_model", "embed") or self._on_gpus:
            return None
        registry, wildcard, work = COMPUTED_WITH[rule]
        recipe = self._graph.recipe(registry, wildcards[wildcard])
        changed = self._graph.config["override"].get(registry, {}).get(recipe.name, {})
        peak = self._table[registry].get(recipe.name, [None, None])[work == "clip"]
        if peak is None or _is_other_size(changed):
            return self._graph.config["memory"]
        return self._with_margin(peak * (self._graph.devices(registry, recipe.key) if work == "train" else 1))

    def _of_files(self, rule: str, files: Iterable[str], attempt: int) -> int:
        """Return what a job needs for its files: their size or, where it works on many copies, an estimate."""
        size = megabytes(files)
        return round(MARGIN * self._table["copies"][rule] * size * attempt) if rule in self._table["copies"] else size

    def _with_margin(self, peak: int) -> int:
        """Return a measured peak with its margin; for clips longer than the measured ones, in proportion."""
        return round(MARGIN * peak * max(1.0, self._graph.config["prepare"]["seconds"] / MEASURED))

    def _warn(self, rule: str, wildcards: Mapping[str, str], needed: int) -> None:
        """Say once per recipe that Snakemake lets a job ask for no more than there is."""
        what = " ".join([rule, *(value for key, value in wildcards.items() if key in ("separator", "model"))])
        if self._limit is not None and needed > self._limit and what not in self._warned:
            self._warned.add(what)
            _log.warning(
                "%s: needs about %s MB of memory, and the run has %s MB: it runs without other jobs beside it, and is "
                "killed if the memory is not enough",
                what, f"{needed:,}", f"{self._limit:,}",
            )  # fmt: skip


def megabytes(files: Iterable[str]) -> int:
    """Return the size of a job's input files in MB.

    Raises FileNotFoundError for one that is still to be made: Snakemake asks again when it is there. Its own
    `input.size_mb` leaves a coroutine behind that is never awaited, and Python warns of it.
    """
    return math.ceil(sum(os.path.getsize(file) for file in files) / 1e6)  # noqa: PTH202 (an error shall have the name)


def _is_other_size(changed: Mapping[str, dict]) -> bool:
    """Return whether the override of a recipe changes how much memory it takes."""
    return bool(
        changed.keys() - SCALED
        or (changed.get("training") or {}).keys() & IN_TRAINING
        or (changed.get("pairs") or {}).keys() & IN_PAIRS
    )
