"""The tables of a system: a row for every section in scores.csv, a row for every test clip in clips.csv."""

import logging
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.data.csv_cells import as_csv
from asdlib.data.files import atomic
from asdlib.data.tables import ClipTable
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.evaluation.figures import DEFINITIONS, FIGURES, Definition, definition_of
from asdlib.evaluation.reported import KEYS as REPORTED_KEYS
from asdlib.evaluation.reported import recomputed_overall
from asdlib.evaluation.score_table import (
    CLIP_COLUMNS,
    COUNTS,
    KEYS,
    MEAN,
    METRIC,
    REPORTED,
    SD,
    bounds,
    score_columns,
)
from asdlib.evaluation.section_figures import Figures, figures_of, mean_figures, unknown_figures
from asdlib.scoring.score_files import DECISIONS, SCORES, read_decisions, read_scores, submission_path
from asdlib.workflow import paths
from asdlib.workflow.section import Section
from asdlib.workflow.words import ALL, RAW

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class SectionClips:
    """The test clips of a section, one per row, and the number of its training clips."""

    section: Section
    test: pd.DataFrame
    n_train: int


def make_tables(settings: TableSettings, reported: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores.csv and clips.csv of a system; all figures are in percent, as the reports print them.

    `reported` are the report's figures (`asdlib.evaluation.reported`). Figures are missing if test clips have no
    labels. A row `all` combines the machines of a variant by the means of the dataset's official definition; with
    several seeds, rows `mean` and `sd` (sample standard deviation) follow.
    """
    sections = [_read_section(section) for section in settings.sections]
    datasets = dict.fromkeys(section.dataset for section in settings.sections)
    scores, clips = [], []
    for variant in settings.variants:
        for dataset in datasets:
            definition = definition_of(settings.years[dataset])
            own = [one for one in sections if one.section.dataset == dataset]
            scored = [_scored_clips(settings.system, variant, section) for section in own]
            rows = _rows(own, scored, definition)
            told = {"system": settings.system, "variant": variant.variant, "seed": variant.seed}
            scores += [row | told | {"recipe": variant.recipe, METRIC: definition.name} for row in rows]
            clips += scored
    compared = pd.DataFrame(scores).join(_comparable(reported), on=list(REPORTED_KEYS))
    table = pd.concat([compared, *_over_seeds(compared)])
    columns = score_columns(set(table[METRIC]))
    numbers = [name for name in columns if name not in (*KEYS, METRIC, *COUNTS, "seed", "recipe")]
    return table.assign(**table[numbers].map(_rounded))[columns], pd.concat(clips)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, without formulas for a spreadsheet (`asdlib.data.csv_cells`)."""
    with atomic(path) as temporary:
        as_csv(table, temporary)


def _read_section(section: Section) -> SectionClips:
    table = ClipTable(Path(paths.audio(RAW, section.dataset, section.machine)))
    clips = table.clips("train", "test").to_pandas()
    clips = clips[clips["section"] == section.section]
    test = clips[clips["kind"] == "test"]
    columns = {
        "dataset": section.dataset,
        "machine": section.machine,
        "clip": test["source_file"].str.rpartition("/")[2],
        "attributes": [";".join(f"{key}={value}" for key, value in pairs) for pairs in test["attributes"]],
    }
    return SectionClips(section, test.assign(**columns), len(clips) - len(test))


def _scored_clips(system: str, variant: VariantScores, clips: SectionClips) -> pd.DataFrame:
    """Join a variant's score and decision files with the clips by name."""
    section, names = clips.section, clips.test["clip"]
    folder = Path(variant.folders[section.dataset])
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
    joined = clips.test.assign(
        system=system,
        variant=variant.variant,
        seed=variant.seed,
        anomaly_score=names.map(scores),
        decision=names.map(decisions),
    )
    return joined[list(CLIP_COLUMNS)]


def _rows(sections: list[SectionClips], scored: list[pd.DataFrame], definition: Definition) -> list[dict[str, Any]]:
    """Return the rows of one variant, seed and dataset: one for each section, and the row `all`.

    The key `figures` keeps the figures themselves, for the mean over seeds; it is no column of the table.
    """
    rows = []
    for one, clips in zip(sections, scored, strict=True):
        try:
            figures = figures_of([clips], definition)
        except AsdError as error:
            _log.warning("%s/%s section %s: no metrics: %s", *one.section, error)
            figures = unknown_figures(definition)
        rows.append(
            {**one.section._asdict(), **_cells(figures, definition), "n_train": one.n_train, "n_test": len(clips)}
        )
    complete = not any(math.isnan(row[definition.score]) for row in rows)
    overall = figures_of(scored, definition) if complete else unknown_figures(definition)
    counts = {name: sum(row[name] for row in rows) for name in COUNTS}
    return [*rows, {**rows[0], "machine": ALL, "section": "", **_cells(overall, definition), **counts}]


def _cells(figures: Figures, definition: Definition) -> dict[str, Any]:
    return {**figures.cells(definition), "figures": figures}


def _comparable(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the figures to compare ours with; overall ones are recomputed from the report's machines if possible."""
    return recomputed_overall(reported).combine_first(reported)[list(FIGURES)].add_prefix("reported_")


def _over_seeds(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the mean and the standard deviation over the seeds of each row, if there are several.

    The interval of the mean is that of the clips: the seeds are as they are.
    """
    for _, group in rows.groupby(list(KEYS), sort=False):
        if len(group) > 1:
            definition = DEFINITIONS[group[METRIC].iloc[0]]
            joined, seeds = group.head(1).assign(recipe=""), group["figures"].tolist()
            yield joined.assign(seed=MEAN, **mean_figures(seeds).cells(definition))
            spread = {name: _deviation(group[name].tolist()) for name in definition.figures}
            ends = [column for name in definition.figures for column in bounds(name)]
            yield joined.assign(seed=SD, **spread, **dict.fromkeys([*ends, *REPORTED], math.nan))


def _deviation(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else statistics.stdev(values)


def _rounded(figure: float) -> float:
    """Round to four decimals of a percent, far less than the effect of a single clip."""
    return round(float(figure), 4)  # Python's rounding: numpy's is not exact
