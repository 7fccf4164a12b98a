"""`asdlib evaluate`: the official metrics of a submission folder."""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.commands.text_table import text_table
from asdlib.errors import AsdError, printable
from asdlib.workflow import paths
from asdlib.workflow.words import ALL

if TYPE_CHECKING:
    from asdlib.evaluation.figures import Definition
    from asdlib.evaluation.truth_folders import ScoredSection

HELP = "check submission files and print their official metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    submission = "anomaly_score_… and decision_result_… files"
    truth = "ground_truth_data, _domain and _attributes, or (2020) eval_data_list.csv"
    parser.add_argument("--scores", type=Path, required=True, metavar="DIR", help=f"folder of {submission}")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--truth", type=Path, metavar="DIR", help=f"folder of {truth}; its form tells the year")
    prepared = (
        f"folder of prepared clips, {paths.audio_folder('<dataset>')}: their names are checked, their labels used"
    )
    against.add_argument("--clips", type=Path, metavar="DIR", help=prepared)
    year = "with --clips: the year of the challenge, which decides the metric (default: 2022 and later)"
    parser.add_argument("--year", type=int, help=year)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON, as fractions")


def run(args: argparse.Namespace) -> None:
    """Print the figures as a table in percent, or as JSON; without labels, only that the files are valid."""
    from asdlib.evaluation.evaluator import of_labelled_clips, summarise
    from asdlib.evaluation.figures import definition_of
    from asdlib.evaluation.truth_folders import read_sections

    if args.truth:
        if args.year:
            raise AsdError("--year: the form of --truth tells the year: leave --year out")
        definition, sections = read_sections(args.scores, args.truth)
    else:
        definition, sections = definition_of(args.year), _checked(args.scores, args.clips)
    if args.clips:
        count = sum(len(section.scores) for section in sections)
        try:
            definition, sections = of_labelled_clips(sections, definition)
        except AsdError as error:
            valid = f"{printable(str(args.scores))}: {count} clips of {len(sections)} sections are valid"
            print(f"{valid}; no figures without labels ({error})")
            return
    result = summarise(sections, definition)
    if args.json:
        print(json.dumps(result, indent=1, allow_nan=False))
        return
    print(table(result))
    print(f"\n{_score(result)}{_interval(args.clips, sections, definition)}")


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


def _interval(clips: Path | None, sections: Sequence["ScoredSection"], definition: "Definition") -> str:
    """Return the interval of the score as text; pieces of a recording are alike, and would make it too narrow."""
    from asdlib.data.pieces import piece_to_test
    from asdlib.data.tables import ClipTable
    from asdlib.evaluation.jackknife import official_ci95

    if clips and any(piece_to_test(ClipTable(path)) for path in clips.glob("*.parquet")):
        return " (no interval: clips are pieces of recordings; scores.csv has one over recordings)"
    half_width = official_ci95([(s.labels, s.domains, s.scores) for s in sections], definition)
    return "" if math.isnan(half_width) else f" ± {100 * half_width:.2f} (95 %, jackknife over clips)"


def table(result: dict) -> str:
    """Return the figures of `asdlib.evaluation.evaluator.summarise` as a table, in percent.

    After the sections of a machine that has several, there is a row with their means.
    """
    machines = result["machines"]
    figures = next(iter(next(iter(machines.values()))["sections"].values()))
    heads = [name for name in figures if name.startswith(("AUC", "pAUC", "F1")) and name != "AUC (all)"]
    line = "harmonic mean" if "harmonic mean" in result["overall"] else "arithmetic mean"
    rows: list[tuple[str, ...]] = []
    for machine, blocks in machines.items():
        sections = blocks["sections"]
        rows += [(machine, section, *_percent(values[head] for head in heads)) for section, values in sections.items()]
        if len(sections) > 1:
            rows.append((machine, ALL, *_percent(_mean(blocks, line, head) for head in heads)))
    rows.append((line, "", *_percent(_mean(result["overall"], line, head) for head in heads)))
    return text_table(("machine", "section", *heads), rows, left=2)


def _score(result: dict) -> str:
    """Return the name of the score, and the score in percent."""
    if "mean_of" in result:
        return f"mean of {', '.join(result['mean_of'])} (domains are missing) {100 * result['score']:.2f}"
    name = "official score" if "harmonic mean" in result["overall"] else "mean of AUC and pAUC"
    return f"{name} {100 * result['official_score']:.2f}"


def _percent(fractions: Iterable[float]) -> list[str]:
    return [f"{100 * fraction:.2f}" for fraction in fractions]


def _mean(lines: dict, line: str, head: str) -> float:
    """Return the mean of a column. A column of one domain, such as `AUC (source)`, has that domain's mean.

    `lines` are those of a machine or of all sections.
    """
    column, _, domain = head.removesuffix(")").partition(" (")
    return lines[f"{domain} {line}" if domain else line][column]
