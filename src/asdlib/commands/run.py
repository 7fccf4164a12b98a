"""`asdlib run`: the workflow without Snakemake's command line."""

import argparse
import os
import sys
from pathlib import Path

from asdlib.commands import target_options
from asdlib.errors import AsdError, printable
from asdlib.workflow import paths

HELP = "run systems: print the snakemake command and execute it"
RULES = ("report", "submission")  # targets other than systems and files
SLURM = "profiles/slurm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET",
        help=f"systems, {' or '.join(RULES)}, or files to make (default: the config's systems)",
    )  # fmt: skip
    parser.add_argument("--cores", metavar="N", help="processor cores (default: all that may be used)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPU jobs at a time (default: all; 0: use the CPU)")
    parser.add_argument("--slurm", action="store_true", help=f"run on a SLURM cluster with {SLURM}")
    parser.add_argument("--data", metavar="NAME", help="a dataset of the config, or a folder of recordings")
    parser.add_argument("--dry-run", action="store_true", help="only list the jobs")
    target_options.add_config(parser)


def run(args: argparse.Namespace) -> None:
    """Replace this process by Snakemake, so that its exit code is the command's and Ctrl-C reaches it."""
    from asdlib.workflow.option_words import refuse_swallowed
    from asdlib.workflow.snakemake_call import SNAKEMAKE, arguments, as_text, require_workflow
    from asdlib.workflow.yaml_files import read_settings

    require_workflow()
    refuse_swallowed(args.configfile, args.config)
    for path in args.configfile:
        read_settings(path)  # an error is one line; Snakemake, which reads it first, ends in a traceback
    systems = sorted(path.stem for path in Path("config/systems").glob("*.yaml"))
    targets = [_target(word, systems) for word in args.targets]
    entries = [*target_options.data_entry(args), *_systems_entry(args, systems), *args.config]
    call = arguments(targets, _options(args), args.configfile, entries)
    print(printable(as_text(call)), flush=True)
    os.execv(sys.executable, [sys.executable, *SNAKEMAKE, *call])


def _systems_entry(args: argparse.Namespace, systems: list[str]) -> list[str]:
    """Return the setting that makes the target `report` show the systems that are named with it."""
    named = [word for word in args.targets if word in systems]
    given = any(entry.startswith("systems=") for entry in args.config)
    return [f"systems=[{','.join(named)}]"] if "report" in args.targets and named and not given else []


def _target(word: str, systems: list[str]) -> str:
    if word in systems:
        return paths.scores(word)
    if word not in RULES and "/" not in word:
        raise AsdError(f"{word}: is not a target: use {', '.join([*systems, *RULES])}, or the path of a file")
    return word


def _all_cores() -> str:
    from asdlib.runtime import host_cores

    most = host_cores.usable()
    return str(most) if most < host_cores.available() else "all"


def _options(args: argparse.Namespace) -> list[str]:
    dry = ["--dry-run"] if args.dry_run else []
    if not args.slurm:
        gpus = [] if args.gpus is None else ["--resources", f"gpu={args.gpus}"]
        return ["--cores", args.cores or _all_cores(), *gpus, *dry]
    if args.cores is not None or args.gpus is not None:
        raise AsdError(f"--slurm: leave out --cores and --gpus: {SLURM}/config.yaml limits the number of jobs")
    return ["--workflow-profile", SLURM, *dry]
