"""From the jobs of a dry run to one row of figures a system, and one of all together."""

from dataclasses import dataclass

from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job, needed_for
from asdlib.planning.hours import Hours, Time
from asdlib.planning.sizes import GB, Sizes
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS, scores
from asdlib.workflow.words import ALL

SUPPLEMENTS = (
    "Whether a machine's supplements are clean sound or noise is not declared: "
    "each that has some is reckoned to have a separator to train."
)
HOURS = (
    f"Hours: {COSTS}, measured on slow, shared CPUs. CPU h: one thread's, with everything on CPUs. GPU h: those of the "
    "jobs that ask for a GPU, on one: an estimate, nothing was measured on a GPU. Separators may stop early."
)


@dataclass(frozen=True)
class Row:
    """What is still to be done for a system; `unknown` are its recipes without a known cost, whose hours are missing.

    `scratch_gb` is what its largest joint training takes beside its results while it runs. `gpu_hours` are None where
    no job asks for a GPU.
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
    """A row a system and the row `all`, in which shared jobs count once; and what the figures rest on."""

    rows: list[Row]
    rests_on: list[str]


def plan(graph: Graph, systems: list[str], jobs: list[Job]) -> Plan:
    """Reckon what the jobs of some systems cost."""
    counts = ClipCounts(graph, {path for job in jobs for path in job.outputs})
    costs = Costs(graph.root / COSTS, graph.config["override"])
    sizes, hours = Sizes(graph, counts, costs), Hours(graph, counts, costs)
    figures = {job: (sizes.of(job), sizes.scratch(job), hours.of(job)) for job in jobs}
    parts = {system: needed_for(scores(system), jobs) for system in systems} | {ALL: jobs}
    rows = [_row(name, part, [figures[job] for job in part]) for name, part in parts.items()]
    return Plan(rows, _rests_on(counts, graph.config["prepare"]["seconds"], rows[-1], jobs))


def _row(system: str, jobs: list[Job], figures: list[tuple[float, float, Time]]) -> Row:
    times = [time for _, _, time in figures]
    return Row(
        system,
        jobs=len(jobs),
        trainings=sum(job.rule.startswith("train_") for job in jobs),
        disk_gb=sum(size for size, _, _ in figures) / GB,
        scratch_gb=max((scratch for _, scratch, _ in figures), default=0.0) / GB,
        cpu_hours=sum(time.cpu for time in times) / 3600,
        gpu_hours=sum(time.gpu for time in times) / 3600 if any(job.gpus for job in jobs) else None,
        unknown=sorted({time.unknown for time in times if time.unknown}),
    )


def _rests_on(counts: ClipCounts, seconds: float, everything: Row, jobs: list[Job]) -> list[str]:
    """Say how the clips were counted, what was assumed, and what the hours mean."""
    lines = [f"Clips of {seconds:g} s: {counts.said}."] if counts.origins else []
    if any(job.rule == "train_separator" for job in jobs) and counts.guessed:
        lines.append(SUPPLEMENTS)
    if everything.scratch_gb:
        lines.append(f"While it runs, a joint training takes up to {everything.scratch_gb:,.1f} GB more.")
    if jobs:
        lines.append(HOURS)
    if everything.unknown:
        lines.append(f"+ without {', '.join(everything.unknown)}: the cost is not known.")
    return lines
