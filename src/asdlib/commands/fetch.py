"""`asdlib fetch`: all downloads that a run will need, so that it can start where there is no network."""

import argparse
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands import target_options
from asdlib.commands.plan import known_systems, rounded
from asdlib.commands.text_table import text_table
from asdlib.errors import AsdError, printable
from asdlib.workflow import paths

if TYPE_CHECKING:
    from asdlib.planning.downloads import Amount, Download

HELP = "download the recordings and public weights that systems will need"
HEADS = ("download", "content", "fetch GB", "disk GB")
ESTIMATES = (
    "~ estimated: archives whose size is not pinned are taken to be as large as the clips that the config declares; "
    f"sizes of weights are from {paths.COSTS}."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--systems", nargs="+", default=[], metavar="SYSTEM", help="systems (default: the config's systems)"
    )
    parser.add_argument("--cores", default="4", metavar="N", help="machines and files at a time (default: 4)")
    parser.add_argument("--data", metavar="NAME", help="a dataset of the config, or a folder of recordings")
    parser.add_argument("--dry-run", action="store_true", help="only list the downloads and their sizes")
    target_options.add_config(parser)


def run(args: argparse.Namespace) -> None:
    """List the downloads, then replace this process by Snakemake, which runs the jobs that fetch them."""
    from asdlib.planning.downloads import RULES, downloads, free_space
    from asdlib.planning.dry_run import dry_run
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph
    from asdlib.workflow.snakemake_call import SNAKEMAKE, arguments, as_text

    entries = [*target_options.data_entry(args), *args.config]
    graph = Graph(read_config(args.configfile, entries), Path())
    systems = known_systems(args.systems, list(graph.recipes.systems)) or graph.config["systems"]
    targets = [paths.scores(system) for system in systems]
    found = downloads(graph, dry_run(targets, args.configfile, entries), Path(paths.PINS))
    if not found:
        print(f"Nothing to fetch: all recordings and public weights of {', '.join(systems)} are here.")
        return
    free = free_space(Path(paths.DOWNLOADS))
    print(text(found, free), flush=True)
    options = ["--until", *RULES, "--cores", args.cores, "--keep-going"]
    call = arguments(targets, options, args.configfile, entries)
    _refuse_full_disk(found, free, as_text(call))
    if not args.dry_run:
        print(f"\n{printable(as_text(call))}", flush=True)
        os.execv(sys.executable, [sys.executable, *SNAKEMAKE, *call])


def text(found: list["Download"], free: float) -> str:
    """Return the downloads as a table, followed by the free disk space and what the sizes are based on."""
    total = _total(found)
    rows = [(one.name, one.content, *_figures(one.amount, one.by_hand)) for one in found]
    rows.append(("all", "", *_figures(total)))
    lines = [f"Free disk space in {paths.DOWNLOADS}: {_gb(free)} GB."]
    lines += [_by_hand(one) for one in found if one.by_hand]
    lines += [ESTIMATES] if total.estimated else []
    lines += ["+ not including weights whose size is unknown."] if total.unknown else []
    return "\n".join([text_table(HEADS, rows, left=2), "", *(textwrap.fill(printable(line), 100) for line in lines)])


def _figures(amount: "Amount", by_hand: str | None = None) -> tuple[str, str]:
    if by_hand:
        return "by hand", "–"
    sign, more = "~" if amount.estimated else "", "+" if amount.unknown else ""
    return f"{sign}{_gb(amount.transfer)}{more}", f"{sign}{_gb(amount.disk)}{more}"


def _gb(size: float) -> str:
    return rounded(size / 1e9)


def _by_hand(one: "Download") -> str:
    place = paths.own_weights(one.name, one.content)
    return f"{one.name} cannot be fetched: download {one.content} from {one.by_hand} and put it there: {place}"


def _total(found: list["Download"]) -> "Amount":
    from asdlib.planning.downloads import NOTHING

    return sum((one.amount for one in found), NOTHING)


def _refuse_full_disk(found: list["Download"], free: float, command: str) -> None:
    needed = _total(found).disk
    if needed > free:
        raise AsdError(
            f"{paths.DOWNLOADS}: the downloads need about {_gb(needed)} GB, {_gb(free)} GB are free: make room, link "
            f"the folder to another disk, or choose fewer systems or datasets; to start anyway: {command}"
        )
