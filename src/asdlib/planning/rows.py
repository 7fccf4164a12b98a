"""The rows of a plan: the cost of each system, and of all systems together, from the jobs of a dry run."""

from dataclasses import dataclass
from math import fsum

from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job, needed_for
from asdlib.planning.hours import Hours, Time
from asdlib.planning.sizes import GB, Sizes
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS, scores
from asdlib.workflow.words import ALL

SUPPLEMENTS = (
    "The config does not say whether a machine's supplements are clean sound or noise. The plan assumes clean sound, "
    "so it includes a separator for every machine with supplements."
)
HOURS = (
    f"Hours are estimated from {COSTS}. CPU h: hours of one thread of a slow, shared CPU if everything runs on CPUs. "
    "GPU h: hours of one H200 for the jobs that ask for a GPU, from the operations of each network and the share of "
    "the peak rate that it reached. Separators may stop earlier."
)


@dataclass(frozen=True)
class Figures:
    """What one job costs: bytes and times."""

    trains: bool
    disk: float
    scratch: float
    time: Time
    gpus: int


@dataclass(frozen=True)
class Row:
    """What remains to be done for a system. The hours do not include `unknown`, the recipes whose cost is unknown.

    `scratch_gb` is the disk space that its largest joint training needs while it runs, in addition to its results.
    `gpu_hours` is None if no job asks for a GPU.
    """

    system: str
    jobs: int
    trainings: int
    disk_gb: float
    scratch_gb: float
    cpu_hours: float
    gpu_hours: float | None
    unknown: list[str]


@dataclass(frozen=True)
class Plan:
    """A row for each system, the row `all`, in which shared jobs count once, and what the figures are based on."""

    rows: list[Row]
    rests_on: list[str]


def plan(graph: Graph, systems: list[str], jobs: list[Job]) -> Plan:
    """Return what the jobs of some systems cost."""
    counts = ClipCounts(graph, {path for job in jobs for path in job.outputs})
    costs = Costs(graph.root / COSTS, graph.config["override"])
    sizes, hours = Sizes(graph, counts, costs), Hours(graph, counts, costs)
    figures = {job: _figures(job, sizes, hours) for job in jobs}
    parts = {system: needed_for(scores(system), jobs) for system in systems} | {ALL: jobs}
    rows = [_row(name, [figures[job] for job in part]) for name, part in parts.items()]
    return Plan(rows, _rests_on(counts, graph.config["prepare"]["seconds"], rows[-1], jobs))


def _figures(job: Job, sizes: Sizes, hours: Hours) -> Figures:
    return Figures(job.rule.startswith("train_"), sizes.of(job), sizes.scratch(job), hours.of(job), job.gpus)


def _row(system: str, jobs: list[Figures]) -> Row:
    return Row(
        system,
        jobs=len(jobs),
        trainings=sum(job.trains for job in jobs),
        disk_gb=fsum(job.disk for job in jobs) / GB,
        scratch_gb=max((job.scratch for job in jobs), default=0.0) / GB,
        cpu_hours=fsum(job.time.cpu for job in jobs) / 3600,
        gpu_hours=fsum(job.time.gpu for job in jobs) / 3600 if any(job.gpus for job in jobs) else None,
        unknown=sorted({job.time.unknown for job in jobs if job.time.unknown}),
    )


def _rests_on(counts: ClipCounts, seconds: float, everything: Row, jobs: list[Job]) -> list[str]:
    """Return lines that say how clips were counted, what was assumed, and what the hours mean."""
    lines = [f"Clips of {seconds:g} s: {counts.summary}."] if counts.origins else []
    if any(job.rule == "train_separator" for job in jobs) and counts.guessed:
        lines.append(SUPPLEMENTS)
    if everything.scratch_gb:
        lines.append(f"A joint training needs up to {everything.scratch_gb:,.1f} GB more while it runs.")
    if jobs:
        lines.append(HOURS)
    if everything.unknown:
        lines.append(f"+ not including {', '.join(everything.unknown)}, whose cost is unknown.")
    return lines
