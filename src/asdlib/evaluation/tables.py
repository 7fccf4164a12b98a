"""The tables of a system: scores.csv has rows for sections, machines and datasets, clips.csv a row for every test clip,
files.csv for every recording.
"""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from asdlib.data.clip_format import SPLIT
from asdlib.data.csv_cells import as_csv
from asdlib.data.files import atomic
from asdlib.data.pieces import recording_of
from asdlib.data.tables import ClipTable
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.evaluation.false_alarms import warn_of_false_alarms
from asdlib.evaluation.figures import DECISION_FIGURES, DEFINITIONS, FIGURES, MEAN_OF, Definition, definition_of
from asdlib.evaluation.file_table import SCORED_COLUMNS, file_table
from asdlib.evaluation.reported import KEYS as REPORTED_KEYS
from asdlib.evaluation.reported import recomputed_overall
from asdlib.evaluation.score_rows import SectionClips, rows_of
from asdlib.evaluation.score_table import (
    CLIP_COLUMNS,
    COUNTS,
    KEYS,
    MEAN,
    METRIC,
    NOTE,
    PROMISED,
    REPORTED,
    SD,
    bounds,
    score_columns,
)
from asdlib.evaluation.section_figures import Figures, mean_figures, unknown_figures
from asdlib.scoring.score_files import DECISIONS, SCORES, read_decisions, read_scores, submission_path
from asdlib.scoring.training_scores import read_refusal, read_training_scores, training_scores_path
from asdlib.workflow import paths
from asdlib.workflow.section import Section
from asdlib.workflow.words import ALL, RAW


@dataclass(frozen=True)
class VariantScores:
    """A variant with one seed, and the folder of its score files for each dataset."""

    variant: str
    seed: int
    recipe: str
    folders: dict[str, str]


@dataclass(frozen=True)
class TableSettings:
    """The content of a system's tables: every variant and seed, on every section."""

    system: str
    variants: list[VariantScores]
    sections: list[Section]
    years: dict[str, int | None]  # dataset: year of the challenge, which decides the official definition


def make_tables(settings: TableSettings, reported: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return scores.csv, clips.csv and files.csv of a system; all figures are in percent, as the reports print them.

    `reported` are the report's figures (`asdlib.evaluation.reported`). Figures are missing if test clips have no
    labels, or if a variant refuses a machine; the column `note` says so. The means of the dataset's official definition
    combine the sections of a machine that has several (section `all`), and all sections of a variant (machine `all`).
    With several seeds, rows `mean` and `sd` (sample standard deviation) follow.
    """
    sections = [_read_section(section) for section in settings.sections]
    datasets = dict.fromkeys(section.dataset for section in settings.sections)
    scores, clips = [], []
    for variant in settings.variants:
        for dataset in datasets:
            definition = definition_of(settings.years[dataset])
            own = [one for one in sections if one.section.dataset == dataset]
            scored = [_scored_clips(settings.system, variant, section) for section in own]
            rows = rows_of(scored, definition)
            told = {"system": settings.system, "variant": variant.variant, "seed": variant.seed}
            told |= {"recipe": variant.recipe, METRIC: definition.name}
            rows = [row | told for row in rows]
            warn_of_false_alarms(rows)
            scores += rows
            clips += [one.test for one in scored if one.refused is None]
    compared = _compared(pd.DataFrame(scores), reported)
    table = pd.concat([compared, *_over_seeds(compared)])
    columns = score_columns(set(table[METRIC]))
    numbers = [name for name in columns if name not in (*KEYS, METRIC, MEAN_OF, *COUNTS, "seed", "recipe", NOTE)]
    every = pd.concat(clips or [pd.DataFrame(columns=SCORED_COLUMNS)])
    return table.assign(**table[numbers].map(_rounded))[columns], every[list(CLIP_COLUMNS)], file_table(every)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, without formulas for a spreadsheet (`asdlib.data.csv_cells`)."""
    with atomic(path) as temporary:
        as_csv(table, temporary)


def _read_section(section: Section) -> SectionClips:
    table = ClipTable(Path(paths.audio(RAW, section.dataset, section.machine)))
    clips = table.clips("train", "test").to_pandas()
    clips = clips[clips["section"] == section.section]
    test = clips[clips["kind"] == "test"]
    names = test["source_file"].str.rpartition("/")[2]
    columns = {
        "dataset": section.dataset,
        "machine": section.machine,
        "clip": names,
        "file": names.map(recording_of) if table.recipe.get("longer") == SPLIT else names,
        "attributes": [";".join(f"{key}={value}" for key, value in pairs) for pairs in test["attributes"]],
    }
    return SectionClips(section, test.assign(**columns), len(clips) - len(test))


def _scored_clips(system: str, variant: VariantScores, clips: SectionClips) -> SectionClips:
    """Join a variant's score and decision files with the clips by name; no clip is left if it has scored none."""
    section, names = clips.section, clips.test["clip"]
    folder = Path(variant.folders[section.dataset])
    training = training_scores_path(folder, section.machine, section.section)
    refused = read_refusal(training)
    if refused is not None:
        return replace(clips, test=clips.test.head(0).reindex(columns=SCORED_COLUMNS), refused=refused)
    files = [submission_path(folder, kind, section.machine, section.section) for kind in (SCORES, DECISIONS)]
    for path in files:
        whole_text(path)  # otherwise a last score that is cut off would be read as another score
    scores, decisions = read_scores(files[0]), read_decisions(files[1])
    for path, values in zip(files, (scores, decisions), strict=True):
        differing = sorted(values.keys() ^ set(names))
        if differing:
            raise AsdError(
                f"{path}: {differing[0]}: is not both scored and among the test clips: delete the file and run again"
            )
    trained = read_training_scores(training)
    joined = clips.test.assign(
        system=system,
        variant=variant.variant,
        seed=variant.seed,
        anomaly_score=names.map(scores),
        decision=names.map(decisions),
        threshold=trained.threshold,
    )
    promised = math.nan if trained.quantile is None else round(100 * (1 - trained.quantile), 4)  # 10, not 9.9999999998
    return replace(clips, test=joined[list(SCORED_COLUMNS)], promised=promised)


def _compared(rows: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the reported figures to compare ours with.

    Reports have figures of machines, so that a section of a machine with several has none: those of the machine stand
    in its own row (section `all`). Overall figures are recomputed from the report's machines if possible.
    """
    known = recomputed_overall(reported).combine_first(reported)[list(FIGURES)].add_prefix("reported_")
    joined = rows.join(known, on=list(REPORTED_KEYS))
    of_all_sections = rows["section"] == ALL
    has_own_row = of_all_sections.groupby([rows[key] for key in REPORTED_KEYS]).transform("any")
    return joined.assign(**joined[list(REPORTED)].mask(has_own_row & ~of_all_sections))


def _over_seeds(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the mean and the standard deviation over the seeds of each row, if there are several.

    The interval of the mean is that of the clips: the seeds are as they are.
    """
    for _, group in rows.groupby(list(KEYS), sort=False):
        if len(group) > 1:
            definition = DEFINITIONS[group[METRIC].iloc[0]]
            notes = "; ".join(dict.fromkeys(note for note in group[NOTE] if note))
            joined = group.head(1).assign(recipe="", **{NOTE: notes})
            means = {name: statistics.fmean(group[name]) for name in (*DECISION_FIGURES, PROMISED)}
            figures = _mean_figures(group["figures"].tolist(), definition)
            yield joined.assign(seed=MEAN, **figures.cells(definition), **means)
            spread = {name: _deviation(group[name].tolist()) for name in (*definition.shown, *DECISION_FIGURES)}
            ends = [column for name in definition.shown for column in bounds(name)]
            yield joined.assign(seed=SD, **spread, **dict.fromkeys([*ends, *REPORTED, PROMISED], math.nan))


def _mean_figures(seeds: list[Figures], definition: Definition) -> Figures:
    """Return the mean over the seeds; unknown if it is for one of them, as after a refusal."""
    return mean_figures(seeds) if all(one.areas for one in seeds) else unknown_figures(definition)


def _deviation(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else statistics.stdev(values)


def _rounded(figure: float) -> float:
    """Round to four decimals of a percent, far less than the effect of a single clip."""
    return round(float(figure), 4)  # Python's rounding: numpy's is not exact
