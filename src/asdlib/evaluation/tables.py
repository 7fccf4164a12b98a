"""The tables of a system: a row for every section in scores.csv, a row for every test clip in clips.csv."""

import logging
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.data.csv_cells import as_csv
from asdlib.data.files import atomic
from asdlib.data.tables import ClipTable
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.evaluation.figures import FIGURES
from asdlib.evaluation.metrics import section_metrics
from asdlib.evaluation.reported import KEYS as REPORTED_KEYS
from asdlib.evaluation.reported import overall_figures, recomputed_overall
from asdlib.evaluation.score_table import CLIP_COLUMNS, KEYS, MEAN, REPORTED, SCORE_COLUMNS, SD
from asdlib.scoring.score_files import DECISIONS, SCORES, read_decisions, read_scores, submission_path
from asdlib.workflow import paths
from asdlib.workflow.section import Section
from asdlib.workflow.words import ALL, RAW

MISSING = [math.nan] * len(FIGURES)
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


@dataclass(frozen=True)
class SectionClips:
    """The test clips of a section, one per row, and the number of its training clips."""

    section: Section
    test: pd.DataFrame
    n_train: int


def make_tables(settings: TableSettings, reported: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores.csv and clips.csv of a system; all figures are in percent, as the reports print them.

    `reported` are the report's figures (`asdlib.evaluation.reported`). Figures are missing if test clips have no
    labels. A row `all` combines the machines of a variant by harmonic means; with several seeds, rows `mean` and `sd`
    (sample standard deviation) follow.
    """
    sections = [_read_section(section) for section in settings.sections]
    datasets = dict.fromkeys(section.dataset for section in settings.sections)
    scores, clips = [], []
    for variant in settings.variants:
        for dataset in datasets:
            own = [one for one in sections if one.section.dataset == dataset]
            scored = [_scored_clips(settings.system, variant, section) for section in own]
            rows = pd.DataFrame(map(_section_row, own, scored)).assign(
                system=settings.system, variant=variant.variant, seed=variant.seed, recipe=variant.recipe
            )
            scores += [rows, _overall_row(rows)]
            clips += scored
    compared = pd.concat(scores).join(_comparable(reported), on=list(REPORTED_KEYS))
    table = pd.concat([compared, *_over_seeds(compared)])
    figures = table[[*FIGURES, *REPORTED]].map(_rounded)
    return table.assign(**figures)[list(SCORE_COLUMNS)], pd.concat(clips)


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


def _section_row(clips: SectionClips, scored: pd.DataFrame) -> dict[str, Any]:
    section = clips.section
    try:
        figures = _section_figures(scored)
    except AsdError as error:
        _log.warning("%s/%s section %s: no metrics: %s", section.dataset, section.machine, section.section, error)
        figures = MISSING
    return {
        "dataset": section.dataset,
        "machine": section.machine,
        "section": section.section,
        **dict(zip(FIGURES, figures, strict=True)),
        "n_train": clips.n_train,
        "n_test": len(scored),
    }


def _section_figures(clips: pd.DataFrame) -> list[float]:
    if clips[["domain", "label"]].isna().any(axis=None):
        raise AsdError("test clips without label or domain: add a ground_truth.csv, or set ground_truth: true")
    found = section_metrics((clips["label"] == "anomaly").astype(int), clips["domain"], clips["anomaly_score"])
    return [100 * value for value in (found.auc_source, found.auc_target, found.pauc, found.hmean)]


def _overall_row(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the row `all` of one variant, seed and dataset."""
    figures = dict(zip(FIGURES, overall_figures(rows), strict=True))
    counts = {name: rows[name].sum() for name in ("n_train", "n_test")}
    return rows.head(1).assign(machine=ALL, section="", **figures, **counts)


def _comparable(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the figures to compare ours with; overall ones are recomputed from the report's machines if possible."""
    return recomputed_overall(reported).combine_first(reported)[list(FIGURES)].add_prefix("reported_")


def _over_seeds(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the mean and the standard deviation over the seeds of each row, if there are several."""
    for _, group in rows.groupby(list(KEYS), sort=False):
        if len(group) > 1:
            joined = group.head(1).assign(recipe="")
            yield joined.assign(seed=MEAN, **_aggregated(group, statistics.mean))
            yield joined.assign(seed=SD, **_aggregated(group, statistics.stdev), **dict.fromkeys(REPORTED, math.nan))


def _aggregated(group: pd.DataFrame, function: Callable[[list[float]], float]) -> dict[str, float]:
    columns = {name: group[name].tolist() for name in FIGURES}
    return {name: math.nan if any(map(math.isnan, values)) else function(values) for name, values in columns.items()}


def _rounded(figure: float) -> float:
    """Round to four decimals of a percent, far less than the effect of a single clip."""
    return round(float(figure), 4)  # Python's rounding: numpy's is not exact
