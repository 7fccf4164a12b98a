"""`asdlib check`: what is understood of recordings, what a run will do with them, and which systems can run."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdlib.commands import target_options
from asdlib.data.checks.problem import ERROR, LEVELS, Problem, pasted
from asdlib.data.clip_format import CUT, REFUSE, SPLIT
from asdlib.errors import AsdError, printable

if TYPE_CHECKING:
    from asdlib.planning.check import Checked
    from asdlib.planning.requirements import Verdict
    from asdlib.workflow.graph import Graph

HELP = "say what is wrong with recordings, and which systems can run"

DECLARED = "demo"  # a dataset that config/datasets.yaml declares, and of which nothing is read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "data", nargs="?", metavar="DATA",
        help="a folder of recordings, a table of clips, or a dataset of the config (default: the config's data)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="measure the levels of all recordings, and of all of each")
    parser.add_argument(
        "--longer", choices=(CUT, SPLIT, REFUSE), help="what is done with long recordings (default: as in the config)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    target_options.add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found. Return 1 if there are errors, otherwise 0; nothing is written."""
    from asdlib.planning.check import Checked, check_recordings, present, strays_in
    from asdlib.planning.requirements import verdicts
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    config = read_config(args.configfile, args.config)
    config |= {"data": args.data} if args.data else {}
    config["prepare"] = config["prepare"] | ({"longer": args.longer} if args.longer else {})
    Graph(config | {"data": DECLARED}, Path())  # raises AsdError for a mistake that has nothing to do with recordings
    try:
        graph = Graph(config, Path())
    except AsdError as error:
        graph, checked, systems = None, Checked(problems=[Problem(ERROR, str(error))]), []
        checked.problems += strays_in(config["data"])
    else:
        checked = check_recordings(graph, args.all)
        systems = verdicts(graph, present(graph, checked)) if checked.groups else []
    checked.problems.sort(key=lambda problem: LEVELS.index(problem.level))
    print(as_json(graph, checked, systems) if args.json else text(graph, checked, systems, args.all))
    return int(any(problem.level == ERROR for problem in checked.problems))


def as_json(graph: "Graph | None", checked: "Checked", systems: list["Verdict"]) -> str:
    """Return everything as JSON; a level of digital silence is null."""
    found = {
        "datasets": _datasets(graph),
        "groups": [asdict(group) for group in checked.groups],
        "problems": [asdict(problem) for problem in checked.problems],
        "systems": [{**asdict(verdict), "runs": not verdict.refusals} for verdict in systems],
    }
    return json.dumps(_finite(found), indent=1, allow_nan=False)


def text(graph: "Graph | None", checked: "Checked", systems: list["Verdict"], everything: bool) -> str:
    """Return everything as lines: what is understood, a table of the recordings, problems, and systems."""
    from asdlib.commands.check_table import levels_are_of, recordings_table, systems_lines

    blocks = [[f"{one['name']}: {one['place']} (layout {', '.join(one['layouts'])})" for one in _datasets(graph)]]
    blocks[0] += [phrase for dataset in (graph.datasets.values() if graph else ()) for phrase in dataset.understood]
    if checked.groups:
        blocks.append([recordings_table(checked.groups), "", levels_are_of(checked.groups, everything)])
    blocks.append([f"{problem.level}: {problem.line}" for problem in checked.problems])
    settings = dict.fromkeys(setting for problem in checked.problems for setting in problem.settings)
    if settings:
        blocks.append([f"Settings for a file after --configfile: {pasted(settings)}"])
    counted = [sum(problem.level == level for problem in checked.problems) for level in LEVELS]
    head = "Systems, once the errors are mended:" if counted[0] else "Systems:"
    blocks.append([head, *systems_lines(systems)] if systems else [])
    blocks.append([", ".join(map(_count, counted, LEVELS))])
    printed = ["\n".join(printable(line) if "\n" not in line else line for line in block) for block in blocks if block]
    return "\n\n".join(printed)


def _datasets(graph: "Graph | None") -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "place": str(dataset.folder or "from the source in the config"),
            "layouts": sorted({dataset.layout(machine) for machine in dataset.machines}),
            "machines": list(dataset.machines),
            "understood": list(dataset.understood),
        }
        for name, dataset in (graph.datasets.items() if graph else ())
    ]


def _count(number: int, level: str) -> str:
    return f"{number} {level}{'' if number == 1 else 's'}"


def _finite(value: Any) -> Any:
    """Return a value for JSON, which has no infinite numbers."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
