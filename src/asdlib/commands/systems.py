"""`asdlib systems`: the systems and variants that the workflow's config declares."""

import argparse
import json
from pathlib import Path

from asdlib.errors import AsdError

HELP = "list the systems and their variants"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--root", type=Path, metavar="DIR", help="the workflow (default: this folder)")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(args: argparse.Namespace) -> None:
    """Print one line per system, or all of them as JSON."""
    from asdlib.recipes import list_systems

    root = args.root or Path()
    if not (root / "Snakefile").is_file():
        raise AsdError(f"{root.resolve()}: has no Snakefile: name the workflow's folder with --root")
    systems = list_systems(root)
    if args.json:
        print(json.dumps({"systems": systems}, indent=1))
        return
    width = max((len(system["name"]) for system in systems), default=0)
    for system in systems:
        variants = ", ".join(variant["name"] for variant in system["variants"])
        print(f"{system['name']:{width}}  {variants}")
        print(f"{'':{width}}  {system['report']}")
