"""What a run will fetch: how much is still to come over the network, and how much disk space it takes."""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.configured_source import source_of
from asdlib.data.fetching.partial import Part
from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job
from asdlib.planning.sizes import GB, Sizes
from asdlib.workflow import paths, settings
from asdlib.workflow.graph import Graph

RULES = ("download", "fetch_checkpoint")


@dataclass(frozen=True)
class Amount:
    """Bytes that are still to come over the network, and bytes that are still to be written.

    They are `estimated` unless all sizes are pinned. An `unknown` size counts as 0.
    """

    transfer: float
    disk: float
    estimated: bool = False
    unknown: bool = False

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.transfer + other.transfer,
            self.disk + other.disk,
            self.estimated or other.estimated,
            self.unknown or other.unknown,
        )


NOTHING = Amount(0.0, 0.0)


@dataclass(frozen=True)
class Download:
    """The machines of a dataset, or a file of public weights.

    `by_hand` is the web page of a file that no job can fetch.
    """

    name: str
    content: str
    amount: Amount
    by_hand: str | None = None


def downloads(graph: Graph, jobs: list[Job], lock: Path) -> list[Download]:
    """Return what the jobs of a dry run fetch; `lock` is the lock file, which has the sizes of archives."""
    counts = ClipCounts(graph, {path for job in jobs for path in job.outputs})
    costs = Costs(graph.root / paths.COSTS, graph.config["override"])
    sizes = Sizes(graph, counts, costs)
    machines: dict[str, list[Amount]] = defaultdict(list)
    for job in jobs:
        if job.rule == "download":
            machines[job.wildcards["dataset"]].append(_recordings(graph, job, sizes, lock))
    recordings = [
        Download(name, f"{len(amounts)} machine{'s' if len(amounts) > 1 else ''}", sum(amounts, NOTHING))
        for name, amounts in sorted(machines.items())
    ]
    weights = [_weights(graph, job, costs) for job in jobs if job.rule == "fetch_checkpoint"]
    return recordings + sorted(weights, key=lambda one: one.name)


def free_space(folder: Path) -> int:
    """Return the free bytes of the disk of a folder, which need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _recordings(graph: Graph, job: Job, sizes: Sizes, lock: Path) -> Amount:
    """Return the amount of a machine's recordings; unpacked they are about as large as their archives."""
    dataset, machine = job.wildcards["dataset"], job.wildcards["machine"]
    source = source_of(graph.all_datasets[dataset].source)
    expected = sizes.recordings(job)
    if not hasattr(source, "arrived"):  # synthesised
        return Amount(0.0, expected, estimated=True)
    archives = source.arrived(machine, Path(job.outputs[0]), settings.download(graph, dataset), lock)
    known = sum(archive.size for archive in archives if archive.size is not None)
    estimated = any(archive.size is None for archive in archives)
    whole = max(expected, known) if estimated else known
    transfer = max(whole - sum(archive.here for archive in archives), 0)
    return Amount(transfer, transfer + whole, estimated)


def _weights(graph: Graph, job: Job, costs: Costs) -> Download:
    name, file = job.wildcards["checkpoint"], job.wildcards["file"]
    block = graph.config["checkpoints"][name]
    if not {"repository", "url"} & block.keys():
        return Download(name, file, NOTHING, by_hand=block["address"])
    size = costs.checkpoints.get(name)
    transfer = max(GB * (size or 0.0) - Part(Path(job.outputs[0])).length, 0.0)
    return Download(name, file, Amount(transfer, transfer, estimated=True, unknown=size is None))
