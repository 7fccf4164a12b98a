"""Benchmark of how the cost of every job grows with the number of clips and of machines.

    python benchmarks/bench_scaling.py [--clips 10 100 1000 3000 10000] [--machines 1 7 85] [--picture growth.png]

The workflow builds the report of the baseline and of `neighbours` for one machine, with the smallest number of clips of
one second, a fifth of which are test clips. A training takes two epochs. Then every job is run by itself with each
number of clips, from the file that Snakemake left beside its log, and measured as a whole process: wall time, processor
time, peak of memory, and the size of what it wrote. For the machines, the results of this machine are copied under
other names, and what reads the results of all machines is measured: the plan, `tabulate` and `report`. The scores of
`neighbours` take a time that grows with the square, so neither they nor what needs them are run beyond `--most` clips.

The exponent is that of the number of clips in the processor time beyond that of the smallest number, between the last
two numbers: 1 is a straight line. `none`: the time grows by less than a second in all. `unclear`: only at the last
number does it grow by more. The growth of the memory is that from the last number but one to the last.
"""

import argparse
import math
import shutil
import tempfile
from pathlib import Path

from measure import Cost, machine
from recordings import write_machine
from scaling_workspace import Workspace

SYSTEMS = ("baseline", "neighbours")
SQUARE = "neighbours"  # in the names of jobs whose time grows with the square of the clips, or that need them
NAME = "machine"  # of the one that `write_machine` writes
NOISE = 1.0  # s of processor time by which a job differs when it is repeated
SECONDS = 1.0
Series = dict[int, dict[str, tuple[Cost, int]]]  # {number: {job: cost and bytes written}}


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 100, 1000, 3000, 10000])
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 7, 85])
    parser.add_argument("--most", type=int, default=3000)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    print(f"{machine()}; clips of {SECONDS:g} s, one thread", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        first = _workspace(folder / "first", min(options.clips))
        first.build()
        by_clips = {
            number: _of_clips(folder / f"{number}_clips", first, number, options.most)
            for number in sorted(options.clips)
        }
        _print("clip", by_clips)
        by_machines = {
            number: _of_machines(folder / f"{number}_machines", first, number) for number in sorted(options.machines)
        }
        _print("machine", by_machines)
    if options.picture:
        from scaling_plot import draw  # imported here: the figures above need no Matplotlib

        draw(by_clips, by_machines, options.picture)


def _workspace(folder: Path, clips: int) -> Workspace:
    test = max(4, clips // 5)
    write_machine(folder / "data", clips - test, test, SECONDS)
    return Workspace(folder, SYSTEMS)


def _of_clips(folder: Path, first: Workspace, number: int, most: int) -> dict[str, tuple[Cost, int]]:
    """Return the cost of every job, for one machine; not of those that `neighbours` scores beyond `most` clips."""
    shutil.copytree(first.folder / "results", folder / "results")  # the jobs' files, and the folders of their results
    workspace = _workspace(folder, number)
    found = {}
    for step, name, job in workspace.jobs():
        if number > most and SQUARE in name:
            continue
        found[name] = _shown(number, name, workspace.measured(step, job))
    shutil.rmtree(folder)
    return found


def _of_machines(folder: Path, first: Workspace, number: int) -> dict[str, tuple[Cost, int]]:
    """Return the cost of the plan and of the jobs that read the results of all machines."""
    for one in range(number):
        shutil.copytree(first.folder / "data" / NAME, folder / "data" / f"{NAME}{one:02d}")
    workspace = Workspace(folder, SYSTEMS)
    found = {"plan": _shown(number, "plan", (workspace.plan(), 0))}
    workspace.copy_results(first.folder, NAME, number)
    for step, name, job in workspace.of_all_machines():
        found[name] = _shown(number, name, workspace.measured(step, job))
    shutil.rmtree(folder)
    return found


def _shown(number: int, job: str, found: tuple[Cost, int]) -> tuple[Cost, int]:
    """Print a cost on a line of its own, because a benchmark of hours may be cut short, and return it."""
    cost, written = found
    print(f"{number:6} {job:55} {cost.wall:8.2f} s {cost.cpu:8.2f} CPU s {cost.peak_mb:6.0f} MB {written:12} bytes",
          flush=True)  # fmt: skip
    return found


def _print(what: str, found: Series) -> None:
    """Print the table of one series."""
    print(f"\n| {', '.join(f'{size:,}' for size in found)} {what}s | wall s | CPU s | exponent | peak MB | "
          f"kB more per {what} | kB on disk per {what} |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for job in next(iter(found.values())):
        sizes = [size for size in found if job in found[size]]
        costs = [found[size][job][0] for size in sizes]
        wall, cpu, peak = (" ".join(f"{getattr(cost, name):.{places}f}" for cost in costs)
                           for name, places in (("wall", 1), ("cpu", 1), ("peak_mb", 0)))  # fmt: skip
        more = 1024 * (costs[-1].peak_mb - costs[-2].peak_mb) / (sizes[-1] - sizes[-2]) if costs[1:] else math.nan
        disk = found[sizes[-1]][job][1] / 1024 / sizes[-1]
        print(f"| {job} | {wall} | {cpu} | {exponent(sizes, [cost.cpu for cost in costs])} | {peak} | {more:z.1f} | "
              f"{disk:.2f} |", flush=True)  # fmt: skip


def exponent(sizes: list[int], seconds: list[float]) -> str:
    """Return the exponent of the size in the time beyond that of the smallest size, as text."""
    later = [second - seconds[0] for second in seconds[1:]]
    if not later or later[-1] < NOISE:
        return "none"
    if len(later) < 2 or later[-2] < NOISE:
        return "unclear"
    return f"{math.log(later[-1] / later[-2]) / math.log((sizes[-1] - sizes[0]) / (sizes[-2] - sizes[0])):.2f}"


if __name__ == "__main__":
    main()
