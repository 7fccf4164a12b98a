"""`asdlib evaluate`: the official metrics of a submission folder."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands.text_table import text_table
from asdlib.errors import AsdError, printable
from asdlib.workflow import paths

if TYPE_CHECKING:
    from asdlib.evaluation.evaluator import ScoredSection

HELP = "check submission files and print their official metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    submission, truth = "anomaly_score_… and decision_result_… files", "ground_truth_{data,domain,attributes}"
    parser.add_argument("--scores", type=Path, required=True, metavar="DIR", help=f"folder of {submission}")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--truth", type=Path, metavar="DIR", help=f"folder of {truth}")
    prepared = (
        f"folder of prepared clips, {paths.audio_folder('<dataset>')}: their names are checked, their labels used"
    )
    against.add_argument("--clips", type=Path, metavar="DIR", help=prepared)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON, as fractions")


def run(args: argparse.Namespace) -> None:
    """Print the figures as a table in percent, or as JSON; without labels, only that the files are valid."""
    from asdlib.evaluation.evaluator import read_sections, summarise
    from asdlib.evaluation.jackknife import official_ci95
    from asdlib.submission.check import labelled

    sections = _checked(args.scores, args.clips) if args.clips else read_sections(args.scores, args.truth)
    if args.clips and not labelled(sections):
        count = sum(len(section.scores) for section in sections)
        where = printable(str(args.scores))
        print(f"{where}: {count} clips of {len(sections)} sections are valid; no figures without labels")
        return
    result = summarise(sections)
    if args.json:
        print(json.dumps(result, indent=1, allow_nan=False))
        return
    half_width = official_ci95([(s.labels, s.domains, s.scores) for s in sections])
    print(table(result))
    interval = "" if math.isnan(half_width) else f" ± {100 * half_width:.2f} (95 %, jackknife over clips)"
    print(f"\nofficial score {100 * result['official_score']:.2f}{interval}")


def _checked(scores: Path, clips: Path) -> list["ScoredSection"]:
    """Return the sections of a folder after checking its clip names, and its file names if it is part of a package."""
    from asdlib.submission.check import check_files, check_scores, clips_to_score

    tables = sorted(clips.glob("*.parquet"))
    if not tables:
        raise AsdError(f"{clips}: contains no prepared clips: give {paths.audio_folder('<dataset>')}")
    expected = clips_to_score(tables)
    sections = check_scores(scores, expected)
    if list(scores.glob("*.meta.yaml")):
        check_files(scores, expected)
    return sections


def table(result: dict) -> str:
    """Return the figures of `asdlib.evaluation.evaluator.evaluate` as a table, in percent."""
    heads = ("AUC (source)", "AUC (target)", "pAUC", "F1 score (source)", "F1 score (target)")
    rows = [
        (machine, section, *(f"{100 * values[head]:.2f}" for head in heads))
        for machine, blocks in result["machines"].items()
        for section, values in blocks["sections"].items()
    ]
    source, target = (result["overall"][f"{domain} harmonic mean"] for domain in ("source", "target"))
    means = (source["AUC"], target["AUC"], source["pAUC"], source["F1 score"], target["F1 score"])
    rows.append(("harmonic mean", "", *(f"{100 * value:.2f}" for value in means)))
    return text_table(("machine", "section", *heads), rows, left=2)
