"""`asdlib systems`: the systems and variants that the workflow's config declares, and what is there of them."""

import argparse
import json
from contextlib import chdir
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError

HELP = "list the systems, their variants, and what is there of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the workflow (default: this folder)")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    parser.add_argument("--configfile", nargs="+", default=[], type=Path, metavar="FILE", help="as for snakemake")


def run(args: argparse.Namespace) -> None:
    """Print a few lines per system, or all of them as JSON."""
    if not (args.root / "Snakefile").is_file():
        raise AsdError(f"{args.root.resolve()}: has no Snakefile: name the workflow's folder with --root")
    from asdlib.planning.progress import progress
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    files = [path.resolve() for path in args.configfile]
    with chdir(args.root):  # a config's paths are meant from there
        systems = progress(Graph(read_config(files, args.config), Path()))
    print(json.dumps({"systems": systems}, indent=1) if args.json else "\n\n".join(map(text, systems)))


def text(system: dict[str, Any]) -> str:
    """Return an entry of `asdlib.planning.progress.progress` as lines."""
    width = max(len(variant["name"]) for variant in system["variants"])
    lines = [system["name"], f"  {system['title']}"]
    if system["report"]:
        lines.append(f"  {system['report']}")
    for variant in system["variants"]:
        names = [variant["name"], *[""] * (len(variant["recipes"]) - 1)]
        lines += [f"    {name:{width}}  {recipe}" for name, recipe in zip(names, variant["recipes"], strict=True)]
    table = "is there" if system["scores"] else "not yet made"
    found = [f"scores.csv {table}", f"trained weights {_of(system['trained'])}"]
    if system["public_weights"]["needed"]:
        found.append(f"public weights {_of(system['public_weights'])}")
    found.append(f"machines' recordings {_of(system['recordings'])}")
    return "\n".join([*lines, f"  {'; '.join(found)}"])


def _of(count: dict[str, int]) -> str:
    return f"{count['there']} of {count['needed']}"
