"""`asdlib score`: scores of new recordings, by what a run has trained."""

import argparse
import csv
import io
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdlib.commands.evaluate import aligned
from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.commands.new_clips import Scores
    from asdlib.planning.trained import Place
    from asdlib.workflow.graph import Graph

HELP = "score recordings of a machine with what a run has trained"
COLUMNS = ("clip", "anomaly_score", "threshold", "decision", "percentile")
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "clips", nargs="+", metavar="CLIP", help="WAV files, folders of them, or - for a list on standard input"
    )
    parser.add_argument("--system", required=True)
    parser.add_argument("--variant", help="needed if the system has several")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--dataset", help="needed if several of the config's datasets have the machine")
    parser.add_argument("--section", metavar="NN", help="needed if the machine has several")
    parser.add_argument("--seed", help="needed if the config has several")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="instead of the config's")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    printed.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    parser.add_argument("--configfile", nargs="+", default=[], type=Path, metavar="FILE", help="as for snakemake")


def run(args: argparse.Namespace) -> None:
    """Print one row per clip, in the order of the clips."""
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    config = read_config(args.configfile, args.config)
    if args.device:
        config["device"] = args.device
    graph = Graph(config, Path())
    place = _chosen(graph, args)
    _refuse_missing(graph, place, args)
    clips = _files(args.clips)

    from asdlib.commands.new_clips import score_clips  # slow to import, for torch: whatever can be refused has been

    found = score_clips(graph, place, clips)
    if found.cut or found.padded:
        seconds = graph.config["prepare"]["seconds"]
        _log.warning("%d clips cut and %d padded to %g s", found.cut, found.padded, seconds)
    printed = _csv if args.csv else _json if args.json else _table
    print(printed(place, [str(path) for path in clips], found))


def _chosen(graph: "Graph", args: argparse.Namespace) -> "Place":
    """Return what the options mean; those that leave no choice may be left out."""
    from asdlib.planning.trained import Place

    _one("--system", args.system, list(graph.recipes.systems))
    names = [name for system, name, _ in graph.variants if system == args.system]
    name = _one("--variant", args.variant, list(dict.fromkeys(names)))
    seed = _one("--seed", args.seed, [str(seed) for seed in graph.config["seeds"]])
    machines = sorted({machine for _, machine, _ in graph.sections})
    machine = _one("--machine", args.machine, machines)
    datasets = dict.fromkeys(dataset for dataset, owned, _ in graph.sections if owned == machine)
    dataset = _one("--dataset", args.dataset, list(datasets))
    section = _one("--section", args.section, list(graph.datasets[dataset].machines[machine]))
    return Place(graph.variants[args.system, name, int(seed)], dataset, machine, section)


def _one(option: str, asked: str | None, known: Sequence[str]) -> str:
    """Return what was asked for, or the only one that there is."""
    if asked is None and len(known) > 1:
        raise AsdError(f"{option}: there are several: name one of: {', '.join(known)}")
    if asked is not None and asked not in known:
        raise AsdError(f"{option}: {asked}: the config has no such: use: {', '.join(known)}")
    return asked or known[0]


def _refuse_missing(graph: "Graph", place: "Place", args: argparse.Namespace) -> None:
    """Say what to run if something was not made yet; a table that is there would not make what it rests on again."""
    from asdlib.planning.trained import needed_to_score
    from asdlib.workflow.paths import scores
    from asdlib.workflow.snakemake_call import arguments, as_text

    missing = [path for path in needed_to_score(graph, place) if not Path(path).exists()]
    if not missing:
        return
    table = scores(args.system)
    call = arguments(missing if Path(table).exists() else [table], ["--cores", "all"], args.configfile, args.config)
    raise AsdError(f"{missing[0]}: was not made with this config: run `{as_text(call)}` first")


def _files(given: Sequence[str]) -> list[Path]:
    """Return the recordings that the arguments stand for."""
    files: list[Path] = []
    for word in given:
        path = Path(word)
        if word == "-":
            found = [Path(line.strip()) for line in sys.stdin if line.strip()]
        else:
            found = _recordings(path) if path.is_dir() else [path]
        if not found:
            place = "standard input" if word == "-" else word
            raise AsdError(f"{place}: names no recording: give .wav files, or folders that hold some")
        files += found
    return files


def _recordings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() == ".wav" and path.is_file())


def _rows(names: list[str], found: "Scores") -> list[dict[str, Any]]:
    decisions = (found.anomaly_score > found.threshold).astype(int).tolist()
    columns = (found.anomaly_score.tolist(), [found.threshold] * len(names), decisions, found.percentile.tolist())
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(names, *columns, strict=True)]


def _table(place: "Place", names: list[str], found: "Scores") -> str:
    rows = [
        (
            row["clip"],
            f"{row['anomaly_score']:.6g}",
            f"{row['threshold']:.6g}",
            "anomaly" if row["decision"] else "normal",
            f"{row['percentile']:.1f}",
        )
        for row in _rows(names, found)
    ]
    said = f"{place.variant.system} {place.variant.name}, {place.dataset}/{place.machine} section {place.section}"
    note = f"Percentile: how many of the {found.n_train} normal training clips score lower, in percent"
    lines = [f"{said}. {note};", f"the threshold is above {found.threshold_percentile:.1f} % of them."]
    return "\n".join([aligned([COLUMNS, *rows], left=1), "", *lines])


def _csv(place: "Place", names: list[str], found: "Scores") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(names, found))
    return text.getvalue().rstrip("\n")


def _json(place: "Place", names: list[str], found: "Scores") -> str:
    head = {
        "system": place.variant.system,
        "variant": place.variant.name,
        "dataset": place.dataset,
        "machine": place.machine,
        "section": place.section,
        "seed": place.variant.seed,
        "recipe": place.variant.recipe,
        "n_train": found.n_train,
        "threshold": found.threshold,
        "threshold_percentile": found.threshold_percentile,
    }
    clips = [{key: value for key, value in row.items() if key != "threshold"} for row in _rows(names, found)]
    return json.dumps({**head, "clips": clips}, indent=1, allow_nan=False)
