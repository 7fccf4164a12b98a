"""`asdlib score`: score new recordings with the models of a run."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands.text_table import text_table
from asdlib.data.csv_cells import as_csv
from asdlib.data.listing import is_folder, recordings_and_others, unused
from asdlib.data.text_files import without_mark
from asdlib.errors import AsdError, printable
from asdlib.runtime.job_environment import provide_folders
from asdlib.runtime.text_streams import use_utf8

if TYPE_CHECKING:
    import pandas as pd

    from asdlib.commands.new_clips import Scores
    from asdlib.commands.scoring_target import ScoringTarget
    from asdlib.workflow.graph import Graph

HELP = "score recordings of a machine with the models of a run"
COLUMNS = ("clip", "anomaly_score", "threshold", "decision", "percentile")
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "clips",
        nargs="+",
        metavar="CLIP",
        help="WAV files, folders of them, or - to read a list from standard input",
    )
    parser.add_argument("--system", required=True)
    parser.add_argument("--variant", help="required if the system has several")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--dataset", help="required if several datasets of the config have the machine")
    parser.add_argument("--section", metavar="NN", help="required if the machine has several")
    parser.add_argument("--seed", help="required if the config has several")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: that of the config")
    quantile = "share of the normal clips that shall stay below the threshold: it is fitted anew to the training clips"
    parser.add_argument("--quantile", type=_share, metavar="Q", help=f"{quantile}; default: that of the config")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    printed.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    parser.add_argument("--configfile", nargs="+", default=[], type=Path, metavar="FILE", help="as for snakemake")


def run(args: argparse.Namespace) -> None:
    """Print one row for each clip, in the order of the clips.

    Raises AsdError after the table if a recording has no score.
    """
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    config = read_config(args.configfile, args.config)
    if args.device:
        config["device"] = args.device
    if args.quantile:
        config |= {"threshold": "fitted", "quantile": args.quantile}
    graph = Graph(config, Path())
    target = _target(graph, args)
    _refuse_missing(graph, target, args)
    clips = _files(args.clips)

    provide_folders(Path(".snakemake/cache"))
    from asdlib.commands.new_clips import score_clips  # imports torch, which is slow: only after the checks

    scores = score_clips(graph, target, clips)
    for problem in scores.refused:
        _log.error("%s", problem)
    if scores.cut or scores.padded:
        seconds = graph.config["prepare"]["seconds"]
        _log.warning("%d clips cut and %d padded to %g s", scores.cut, scores.padded, seconds)
    formatted = _csv if args.csv else _json if args.json else _text
    if args.csv:  # read by programs: UTF-8 like every file, whatever the locale
        use_utf8(sys.stdout)
    print(formatted(target, [str(path) for path in scores.clips], scores))
    if scores.refused:
        sys.stdout.flush()
        number = f"{len(scores.refused)} of {len(clips)} recordings"
        raise AsdError(f"{number} have no score (see above): replace them, or leave them out")


def _share(text: str) -> float:
    """Return a number between 0 and 1, both excluded."""
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1: give a share such as 0.99")
    return share


def _target(graph: "Graph", args: argparse.Namespace) -> "ScoringTarget":
    """Return the target that the options select; an option with only one possible value may be left out."""
    from asdlib.commands.scoring_target import ScoringTarget

    _one("--system", args.system, list(graph.recipes.systems))
    names = [name for system, name, _ in graph.variants if system == args.system]
    name = _one("--variant", args.variant, list(dict.fromkeys(names)))
    seed = _one("--seed", args.seed, [str(seed) for seed in graph.config["seeds"]])
    machines = sorted({machine for _, machine, _ in graph.sections})
    machine = _one("--machine", args.machine, machines)
    datasets = dict.fromkeys(dataset for dataset, owned, _ in graph.sections if owned == machine)
    dataset = _one("--dataset", args.dataset, list(datasets))
    section = _one("--section", args.section, list(graph.datasets[dataset].machines[machine]))
    return ScoringTarget(graph.variants[args.system, name, int(seed)], dataset, machine, section)


def _one(option: str, asked: str | None, known: Sequence[str]) -> str:
    """Return the value of an option, or the only possible one."""
    if asked is None and len(known) > 1:
        raise AsdError(f"{option}: is required: choose one of: {', '.join(known)}")
    if asked is not None and asked not in known:
        raise AsdError(f"{option}: {asked} is not in the config: choose one of: {', '.join(known)}")
    return asked or known[0]


def _refuse_missing(graph: "Graph", target: "ScoringTarget", args: argparse.Namespace) -> None:
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


def _files(given: Sequence[str]) -> list[Path]:
    """Return the recordings that the arguments name."""
    files: list[Path] = []
    for word in given:
        found = _listed(sys.stdin.buffer.read()) if word == "-" else _recordings(Path(word))
        if not found:
            where = "standard input" if word == "-" else word
            raise AsdError(f"{where}: contains no recordings: give .wav files, or folders that contain some")
        files += found
    return files


def _listed(content: bytes) -> list[Path]:
    """Return the files of a list, one per line; a name is bytes, and an editor may have put a mark before the first."""
    lines = os.fsdecode(without_mark(content, "standard input")).split("\n")
    return [Path(line.strip()) for line in lines if line.strip()]


def _recordings(path: Path) -> list[Path]:
    """Return the recordings in a folder, or the file itself."""
    if not is_folder(path):
        return [path]
    entries, others = recordings_and_others(path)
    if entries and others:
        _log.warning("%s: %s", path, unused(others))
    return [Path(entry) for entry in entries]


def _clip_table(names: list[str], scores: "Scores") -> "pd.DataFrame":
    import pandas as pd

    columns = (
        list(map(printable, names)),
        scores.anomaly_score.astype(float),
        scores.threshold,
        (scores.anomaly_score > scores.threshold).astype(int),
        scores.percentile,
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _text(target: "ScoringTarget", names: list[str], scores: "Scores") -> str:
    rows = [
        (clip, f"{score:.6g}", f"{threshold:.6g}", "anomaly" if decision else "normal", f"{percentile:.1f}")
        for clip, score, threshold, decision, percentile in _clip_table(names, scores).itertuples(index=False)
    ]
    variant, machine = target.variant, f"{target.dataset}/{target.machine}"
    lines = [
        f"{variant.system} {variant.name}, {machine} section {target.section}. Percentile: the share of the "
        f"{scores.n_train} normal training clips that score",
        f"lower, in percent; {scores.threshold_percentile:.1f} % of them score below the threshold.",
    ]
    return "\n".join([text_table(COLUMNS, rows), "", *lines])


def _csv(target: "ScoringTarget", names: list[str], scores: "Scores") -> str:
    return as_csv(_clip_table(names, scores)).rstrip("\n")


def _json(target: "ScoringTarget", names: list[str], scores: "Scores") -> str:
    head = {
        "system": target.variant.system,
        "variant": target.variant.name,
        "dataset": target.dataset,
        "machine": target.machine,
        "section": target.section,
        "seed": target.variant.seed,
        "recipe": target.variant.recipe,
        "n_train": scores.n_train,
        "threshold": scores.threshold,
        "threshold_percentile": scores.threshold_percentile,
    }
    rows = _clip_table(names, scores).drop(columns="threshold").to_dict("records")
    # JSON has escapes of its own, which a reader undoes.
    clips = [{**row, "clip": name} for row, name in zip(rows, names, strict=True)]
    return json.dumps({**head, "clips": clips}, indent=1, allow_nan=False)
