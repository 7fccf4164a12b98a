"""`asdlib systems`: the systems and variants of the workflow, and which of their files exist."""

import argparse
import json
import textwrap
from contextlib import chdir
from pathlib import Path
from typing import Any

from asdlib.commands import target_options
from asdlib.commands.text_table import text_table
from asdlib.data.listing import is_file
from asdlib.errors import AsdError

HELP = "list the systems and their variants, and which of their files exist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the workflow's folder (default: this one)"
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    target_options.add_config(parser)


def run(args: argparse.Namespace) -> None:
    """Print a few lines for each system, or all systems as JSON."""
    if not is_file(args.root / "Snakefile"):
        raise AsdError(f"{args.root.absolute()}: has no Snakefile: give the folder of the workflow with --root")
    from asdlib.planning.progress import progress
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    files = [path.resolve() for path in args.configfile]
    with chdir(args.root):  # the paths of a config are relative to it
        graph = Graph(read_config(files, args.config), Path())
        systems = progress(graph)
    if args.json:
        print(json.dumps({"systems": systems}, indent=1))
    else:
        print("\n\n".join([*map(text, systems), _meaning(list(graph.datasets))]))


def text(system: dict[str, Any]) -> str:
    """Return an entry of `asdlib.planning.progress.progress` as lines."""
    lines = [system["name"], f"  {system['title']}"]
    if system["report"]:
        lines.append(f"  {system['report']}")
    rows = [
        (variant["name"] if number == 0 else "", recipe)
        for variant in system["variants"]
        for number, recipe in enumerate(variant["recipes"])
    ]
    lines.append(textwrap.indent(text_table(("", ""), rows, left=2), "    "))
    table = "exists" if system["scores"] else "does not exist yet"
    if system["scored_with"] and not system["scored_with"]["this_config"]:
        table = f"is of a run with other data or settings (data: {', '.join(system['scored_with']['data'])})"
    trained = f"trained weights {_of(system['trained'])}" if system["trained"]["needed"] else "trains nothing"
    found = [f"scores.csv {table}", trained]
    if system["public_weights"]["needed"]:
        found.append(f"public weights {_of(system['public_weights'])}")
    found.append(f"machines with recordings {_of(system['recordings'])}")
    return "\n".join([*lines, f"  {'; '.join(found)}"])


def _meaning(data: list[str]) -> str:
    """Return what the counts are of: after the demo, those of the default config would look like lost files."""
    counted = f"Counted are the files of a run with data: {', '.join(data)}, which makes or downloads what is missing."
    return f"{counted}\nFor another run, give its --configfile and --config, as in the command that started it."


def _of(count: dict[str, int]) -> str:
    return f"{count['there']} of {count['needed']}"
