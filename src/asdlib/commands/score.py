"""`asdlib score`: score new recordings with the models of a run."""

import argparse
import logging
import math
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands import target_options
from asdlib.commands.follow import Alarm, Rule, follow, note, watched
from asdlib.commands.follow_state import StateFile
from asdlib.commands.score_output import as_csv_text, as_json, as_text
from asdlib.data.files import locked
from asdlib.data.listing import is_folder, recordings_and_others, unused
from asdlib.data.text_files import without_mark
from asdlib.errors import AsdError
from asdlib.runtime.job_environment import provide_folders, yield_cores
from asdlib.runtime.lean_imports import keep_imports, spare_pandas
from asdlib.runtime.text_streams import use_utf8

if TYPE_CHECKING:
    from asdlib.commands.new_clips import Scorer
    from asdlib.commands.scoring_target import ScoringTarget
    from asdlib.workflow.graph import Graph

HELP = "score recordings of a machine with the models of a run"
FOLLOWING = ("existing", "interval", "alarm", "state")  # the options that --follow takes
LISTING = ("clips", "csv", "json", "by_file")  # those that it does not
INTERVAL = 2.0  # s
CACHE = Path(".snakemake/cache")
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="CLIP",
        help="recordings, folders of them, or - to read a list from standard input",
    )
    target_options.add_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: that of the config")
    quantile = "share of the normal clips that shall stay below the threshold: it is fitted anew to the training clips"
    parser.add_argument("--quantile", type=_share, metavar="Q", help=f"{quantile}; default: that of the config")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    printed.add_argument("--json", action="store_true", help="print JSON instead of a table")
    by_file = "a row for each recording instead of each clip that it was split into (prepare.longer: split)"
    parser.add_argument("--by-file", action="store_true", help=by_file)
    _add_following(parser)
    target_options.add_config(parser)


def _add_following(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that goes on."""
    group = parser.add_argument_group("recordings that are still to come")
    group.add_argument(
        "--follow",
        type=Path,
        metavar="FOLDER",
        help="score recordings as they appear in a folder, a line of JSON each, until Ctrl-C or SIGTERM",
    )
    group.add_argument("--existing", action="store_true", help="score also those that are there at the start")
    looks = f"time between two looks into the folder; default: {INTERVAL:g}"
    group.add_argument("--interval", type=_seconds, metavar="SECONDS", help=looks)
    rule = "alarm while at least N of the last M recordings exceed the threshold, for example 3/5"
    group.add_argument("--alarm", type=_rule, metavar="N/M", help=rule)
    state = "remember in this file what has been scored, and the last decisions, for the next start of the command"
    group.add_argument("--state", type=Path, metavar="FILE", help=state)


def run(args: argparse.Namespace) -> None:
    """Print one row for each clip or recording, in their order, or follow a folder.

    Raises AsdError after the table if a recording has no score.
    """
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph
    from asdlib.workflow.option_words import refuse_swallowed

    refuse_swallowed(args.configfile, args.config)  # before they are missed as CLIP
    _refuse_mixture(args)
    yield_cores()
    config = read_config(args.configfile, args.config)
    if args.device:
        config["device"] = args.device
    if args.quantile:
        config |= {"threshold": "fitted", "quantile": args.quantile}
    graph = Graph(config, Path())
    target = target_options.chosen(graph, args)
    target_options.refuse_missing(graph, target, args)
    if args.follow:
        _follow(graph, target, args)
    else:
        _score(graph, target, args)


def _score(graph: "Graph", target: "ScoringTarget", args: argparse.Namespace) -> None:
    clips = _files(args.clips)
    scores = _scorer(graph, target).score(clips)
    for problem in scores.refused:
        _log.error("%s", problem)
    if scores.cut or scores.padded:
        seconds = graph.config["prepare"]["seconds"]
        _log.warning("%d clips cut and %d padded to %g s", scores.cut, scores.padded, seconds)
    formatted = as_csv_text if args.csv else as_json if args.json else as_text
    if args.csv:  # read by programs: UTF-8 like every file, whatever the locale
        use_utf8(sys.stdout)
    print(formatted(target, scores, args.by_file))
    if scores.refused:
        sys.stdout.flush()
        number = f"{len(scores.refused)} of {len(clips)} recordings"
        raise AsdError(f"{number} have no score (see above): replace them, or leave them out")


def _follow(graph: "Graph", target: "ScoringTarget", args: argparse.Namespace) -> None:
    with locked(args.state) if args.state else nullcontext():
        state = StateFile(args.state, args.follow, target) if args.state else None
        known = state.read() if state else None
        # before the networks are loaded: what comes meanwhile is new
        arrivals = watched(args.follow, args.existing, known.seen if known else None)
        alarm = Alarm(args.alarm, known.decisions if known else ()) if args.alarm else None
        if state:
            note(state, arrivals, alarm)
        scorer, interval = _scorer(graph, target), args.interval or INTERVAL
        threshold = scorer.load()
        why = f"known from {args.state}" if known else "already there and left out"
        left_out = f"; {why}: {arrivals.left_out}" if arrivals.left_out else ""
        _log.warning("%s: followed, every %g s, threshold %.6g%s", args.follow, interval, threshold, left_out)
        follow(scorer, arrivals, interval, alarm, state)


def _scorer(graph: "Graph", target: "ScoringTarget") -> "Scorer":
    """Return the scorer of the target's variant. Its imports are slow: called after all checks."""
    provide_folders(CACHE)
    from asdlib.commands.new_clips import Scorer

    spare_pandas()
    keep_imports()
    return Scorer(graph, target)


def _refuse_mixture(args: argparse.Namespace) -> None:
    """Raise AsdError for options that do not go together."""
    wrong = LISTING if args.follow else FOLLOWING
    given = next((name for name in wrong if getattr(args, name)), None)
    if given:
        option = "CLIP" if given == "clips" else f"--{given.replace('_', '-')}"
        if args.follow:
            raise AsdError(f"{option}: does not go with --follow, which prints lines of JSON: leave one of them out")
        raise AsdError(f"{option}: is about recordings to come: add --follow FOLDER, or leave it out")
    if not args.follow and not args.clips:
        raise AsdError("CLIP: no recordings are named: give files or folders, or --follow FOLDER")


def _share(text: str) -> float:
    """Return a number between 0 and 1, both excluded."""
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1: give a share such as 0.99")
    return share


def _seconds(text: str) -> float:
    """Return a time that is more than nothing."""
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a time: give seconds, such as 2")
    return seconds


def _rule(text: str) -> Rule:
    """Return the rule of an alarm, such as 3/5."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 0 < int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text} is not N/M with N from 1 to M: give a rule such as 3/5")
    return Rule(int(number), int(of))


def _files(given: Sequence[str]) -> list[Path]:
    """Return the recordings that the arguments name."""
    files: list[Path] = []
    for word in given:
        found = _listed(sys.stdin.buffer.read()) if word == "-" else _recordings(Path(word))
        if not found:
            where = "standard input" if word == "-" else word
            raise AsdError(f"{where}: contains no recordings: give files, or folders that contain some")
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
