"""`asdlib evaluate`: the official metric of a submission folder."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.evaluation.evaluator import ScoredSection

HELP = "check submission files and print their official metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    submission, truth = "anomaly_score_… and decision_result_… files", "ground_truth_{data,domain,attributes}"
    parser.add_argument("--scores", type=Path, required=True, metavar="DIR", help=f"folder of {submission}")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--truth", type=Path, metavar="DIR", help=f"folder of {truth}")
    prepared = "folder of prepared clips, results/audio/raw/<dataset>: names are checked, and labels used if it has any"
    against.add_argument("--clips", type=Path, metavar="DIR", help=prepared)
    parser.add_argument("--json", action="store_true", help="print every figure as JSON, in fractions")


def run(args: argparse.Namespace) -> None:
    """Print the figures: a table in percent, or all of them as JSON; without labels, only that the files are right."""
    from asdlib.evaluation.evaluator import read_sections, summarise
    from asdlib.evaluation.jackknife import official_ci95
    from asdlib.submission.check import labelled

    sections = _checked(args.scores, args.clips) if args.clips else read_sections(args.scores, args.truth)
    if args.clips and not labelled(sections):
        count = sum(len(section.scores) for section in sections)
        print(
            f"{args.scores}: {count} clips of {len(sections)} machines and sections, all right; no labels, no figures"
        )
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
    """The sections of a folder whose names are those of the prepared clips; a package's folder holds nothing else."""
    from asdlib.submission.check import check_files, check_scores, clips_to_score

    tables = sorted(clips.glob("*.parquet"))
    if not tables:
        raise AsdError(f"{clips}: holds no prepared clips: give results/audio/raw/<dataset>")
    places = clips_to_score(tables)
    sections = check_scores(scores, places)
    if list(scores.glob("*.meta.yaml")):
        check_files(scores, places)
    return sections


def table(result: dict) -> str:
    """The figures of `asdlib.evaluation.evaluator.evaluate` as an aligned text table, in percent."""
    heads = ("AUC (source)", "AUC (target)", "pAUC", "F1 score (source)", "F1 score (target)")
    rows = [
        (machine, section, *(f"{100 * values[head]:.2f}" for head in heads))
        for machine, blocks in result["machines"].items()
        for section, values in blocks["sections"].items()
    ]
    source, target = (result["overall"][f"{domain} harmonic mean"] for domain in ("source", "target"))
    means = (source["AUC"], target["AUC"], source["pAUC"], source["F1 score"], target["F1 score"])
    rows.append(("harmonic mean", "", *(f"{100 * value:.2f}" for value in means)))
    return aligned([("machine", "section", *heads), *rows], left=2)


def aligned(rows: list[tuple[str, ...]], left: int) -> str:
    """Rows of equal length as lines of text; the first `left` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
