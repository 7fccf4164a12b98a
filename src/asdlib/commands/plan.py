"""`asdlib plan`: an estimate of what a run will cost, before anything runs."""

import argparse
import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands import target_options
from asdlib.commands.text_table import text_table
from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.planning.rows import Plan

HELP = "estimate the jobs, disk space and hours that systems still need"
HEADS = ("system", "jobs", "trainings", "disk GB", "CPU h", "GPU h")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help="systems (default: all in config/systems)")
    target_options.add_config(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Print one line for each system and one for all together, or the same as JSON."""
    from asdlib.planning.dry_run import DryRun
    from asdlib.workflow.option_words import refuse_swallowed
    from asdlib.workflow.paths import scores
    from asdlib.workflow.snakemake_call import require_workflow
    from asdlib.workflow.system_files import system_files

    require_workflow()  # what `read_config` would refuse below, before Snakemake is called with it
    refuse_swallowed(args.configfile, args.config)
    known = [path.stem for path in system_files(Path("config", "systems"))]
    systems = known_systems(args.systems, known) or known
    with DryRun([scores(system) for system in systems], args.configfile, args.config) as started:
        # While Snakemake works. A wrong config ends it.
        from asdlib.planning.rows import plan
        from asdlib.workflow.config import read_config
        from asdlib.workflow.graph import Graph

        graph = Graph(read_config(args.configfile, args.config), Path())
        result = plan(graph, systems, started.jobs())
    print(json.dumps(asdict(result), indent=1) if args.json else text(result))


def text(result: "Plan") -> str:
    """Return a plan as a table, followed by the lines that explain it."""
    rows = [
        (
            row.system,
            f"{row.jobs}",
            f"{row.trainings}",
            rounded(row.disk_gb),
            rounded(row.cpu_hours, row.unknown),
            rounded(row.gpu_hours, row.unknown),
        )
        for row in result.rows
    ]
    return "\n".join([text_table(HEADS, rows), "", *(textwrap.fill(line, 100) for line in result.rests_on)])


def known_systems(asked: list[str], known: list[str]) -> list[str]:
    """Return the systems that were asked for, each once; raise AsdError for an unknown one."""
    for system in asked:
        if system not in known:
            raise AsdError(f"{system}: there is no config/systems/{system}.yaml: choose one of: {', '.join(known)}")
    return list(dict.fromkeys(asked))


def rounded(figure: float | None, unknown: list[str] | None = None) -> str:
    """Return a figure as text, with a `+` if something unknown is not included."""
    if figure is None:
        return "–"
    return f"{figure:,.{1 if figure < 10 else 0}f}{'+' if unknown else ''}"
