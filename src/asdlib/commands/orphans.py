"""`asdlib orphans`: the jobs of a killed run that are still running."""

import argparse
from pathlib import Path

from asdlib.errors import printable

HELP = "list the jobs of a killed run that are still running, or stop them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="folder of the run (default: this folder)"
    )
    parser.add_argument("--cancel", action="store_true", help="stop them")


def run(args: argparse.Namespace) -> None:
    """Print one line for each job."""
    from asdlib.runtime.orphans import cancel, find

    folder = args.folder.resolve()
    found = find(folder)
    for process, what in found.processes.items():
        print(printable(f"process {process}: {what}"))
    for job, what in found.jobs.items():
        print(printable(f"SLURM job {job}: {what}"))
    number = len(found.processes) + len(found.jobs)
    if not number:
        print("no orphans")
    elif args.cancel:
        cancel(found, folder)
        print(f"{number} stopped")
    else:
        print(f"{number} found: stop them with --cancel")
