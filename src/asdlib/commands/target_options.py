"""Options of several commands: those of the config, and those that name a variant and a machine of a run."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.commands.scoring_target import ScoringTarget
    from asdlib.workflow.graph import Graph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the variant and the machine."""
    parser.add_argument("--system", required=True)
    parser.add_argument("--variant", help="required if the system has several")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--dataset", help="required if several datasets of the config have the machine")
    parser.add_argument("--section", metavar="NN", help="required if the machine has several")
    parser.add_argument("--seed", help="required if the config has several")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the config."""
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    parser.add_argument("--configfile", nargs="+", default=[], type=Path, metavar="FILE", help="as for snakemake")


def data_entry(args: argparse.Namespace) -> list[str]:
    """Return the option --data as an entry of the config, if it is given."""
    return [f"data={args.data}"] if args.data else []


def chosen(graph: "Graph", args: argparse.Namespace) -> "ScoringTarget":
    """Return the target that the options select; an option with only one possible value may be left out."""
    from asdlib.commands.scoring_target import ScoringTarget

    one_of("--system", args.system, list(graph.recipes.systems))
    names = [name for system, name, _ in graph.variants if system == args.system]
    name = one_of("--variant", args.variant, list(dict.fromkeys(names)))
    seed = one_of("--seed", args.seed, [str(seed) for seed in graph.config["seeds"]])
    machines = sorted({machine for _, machine, _ in graph.sections})
    machine = one_of("--machine", args.machine, machines)
    datasets = dict.fromkeys(dataset for dataset, owned, _ in graph.sections if owned == machine)
    dataset = one_of("--dataset", args.dataset, list(datasets))
    section = one_of("--section", args.section, list(graph.datasets[dataset].machines[machine]))
    return ScoringTarget(graph.variants[args.system, name, int(seed)], dataset, machine, section)


def one_of(option: str, asked: str | None, known: Sequence[str]) -> str:
    """Return the value of an option, or the only possible one."""
    if asked is None and len(known) > 1:
        raise AsdError(f"{option}: is required: choose one of: {', '.join(known)}")
    if asked is not None and asked not in known:
        raise AsdError(f"{option}: {asked} is not in the config: choose one of: {', '.join(known)}")
    return asked or known[0]


def refuse_missing(graph: "Graph", target: "ScoringTarget", args: argparse.Namespace) -> None:
    """Raise AsdError with the command to run if a file is missing.

    If scores.csv exists, Snakemake would not make the files behind it again, so the command names the files.
    """
    from asdlib.commands.scoring_target import needed_to_score
    from asdlib.workflow.paths import scores
    from asdlib.workflow.snakemake_call import arguments, as_text

    missing = [path for path in needed_to_score(graph, target) if not Path(path).exists()]
    if not missing:
        return
    table = scores(args.system)
    call = arguments(missing if Path(table).exists() else [table], ["--cores", "all"], args.configfile, args.config)
    raise AsdError(f"{missing[0]}: was not made with this config: run `{as_text(call)}` first")
