"""Put a system's scores beside the truth and the report's own figures."""

import csv
import logging
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.evaluation.metrics import harmonic_mean, section_metrics
from asdlib.evaluation.reported import ALL, Reported, load_reported, recomputed_overall
from asdlib.scoring.score_files import DECISIONS, SCORES, read_decisions, read_scores, submission_path
from asdlib.workflow import paths
from asdlib.workflow.words import RAW

FIGURES = ("auc_source", "auc_target", "pauc", "hmean")
SCORE_COLUMNS = (
    "system", "variant", "dataset", "machine", "section", *FIGURES, *(f"reported_{name}" for name in FIGURES),
    "n_train", "n_test", "seed", "recipe",
)  # fmt: skip
CLIP_COLUMNS = (
    "system", "variant", "dataset", "machine", "section", "seed", "clip", "domain", "label", "attributes",
    "anomaly_score", "decision",
)  # fmt: skip
Row = dict[str, Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """The clips of one machine and section: their metadata rows by file name, and the number of training clips."""

    dataset: str
    machine: str
    section: str
    test: dict[str, Row]
    n_train: int


def tabulate(reported: list[Path], scores: Path, clips: Path, settings: dict[str, Any]) -> None:
    """Write `scores` and `clips` (CSV) of a system; all figures are in percent, as the reports print them.

    `reported` is the table of the report's figures, if the system has one. Where test clips carry no labels the
    figures stay empty. A row `all` joins a variant's machines by harmonic means; with several seeds, rows `mean` and
    `sd` (sample standard deviation) follow.
    """
    figures = load_reported(reported[0]) if reported else {}
    places = [_read_place(**place) for place in settings["sections"]]
    score_rows: list[Row] = []
    clip_rows: list[Row] = []
    for variant in settings["variants"]:
        for dataset in dict.fromkeys(place.dataset for place in places):
            rows = []
            for place in (place for place in places if place.dataset == dataset):
                scored = list(_clip_rows(settings["system"], variant, place))
                clip_rows += scored
                rows.append(_section_row(settings["system"], variant, place, scored, figures))
            score_rows += [*rows, _overall_row(rows, figures)]
    score_rows += list(_seed_rows(score_rows))
    _write(clips, CLIP_COLUMNS, clip_rows)
    _write(scores, SCORE_COLUMNS, score_rows)


def _read_place(dataset: str, machine: str, section: str) -> Place:
    table = ClipTable(Path(paths.audio(RAW, dataset, machine)))
    rows = [row for row in table.clips("train", "test").to_pylist() if row["section"] == section]
    test = {row["source_file"].rpartition("/")[2]: row for row in rows if row["kind"] == "test"}
    return Place(dataset, machine, section, test, len(rows) - len(test))


def _clip_rows(system: str, variant: Row, place: Place) -> Iterator[Row]:
    """Join a variant's score and decision files with the clips by name."""
    folder = Path(variant["folders"][place.dataset])
    paths = [submission_path(folder, kind, place.machine, place.section) for kind in (SCORES, DECISIONS)]
    scores, decisions = read_scores(paths[0]), read_decisions(paths[1])
    for path, values in zip(paths, (scores, decisions), strict=True):
        differing = sorted(values.keys() ^ place.test.keys())
        if differing:
            raise AsdError(
                f"{path}: {differing[0]}: is not both scored and among the test clips: delete the file and run again"
            )
    for name, clip in place.test.items():
        yield {
            "system": system,
            "variant": variant["variant"],
            "dataset": place.dataset,
            "machine": place.machine,
            "section": place.section,
            "seed": variant["seed"],
            "clip": name,
            "domain": clip["domain"],
            "label": clip["label"],
            "attributes": ";".join(f"{key}={value}" for key, value in clip["attributes"]),
            "anomaly_score": scores[name],
            "decision": decisions[name],
        }


def _section_row(system: str, variant: Row, place: Place, clips: list[Row], figures: dict) -> Row:
    labels = [clip["label"] for clip in clips]
    domains = [clip["domain"] for clip in clips]
    values: tuple[float, ...] = ()
    try:
        if None in labels or None in domains:
            raise AsdError(
                "test clips without label or domain: set ground_truth: true, or name them in the labelled way"
            )
        numeric = [int(label == "anomaly") for label in labels]
        found = section_metrics(numeric, domains, [clip["anomaly_score"] for clip in clips])
        values = tuple(100 * value for value in (found.auc_source, found.auc_target, found.pauc, found.hmean))
    except AsdError as error:
        _log.warning("%s/%s section %s: no metrics: %s", place.dataset, place.machine, place.section, error)
    return {
        "system": system,
        "variant": variant["variant"],
        "dataset": place.dataset,
        "machine": place.machine,
        "section": place.section,
        **_named(values),
        **_reported(figures.get((variant["variant"], place.dataset, place.machine))),
        "n_train": place.n_train,
        "n_test": len(clips),
        "seed": variant["seed"],
        "recipe": variant["recipe"],
    }


def _overall_row(rows: list[Row], figures: dict) -> Row:
    """Join the rows of one variant, seed and dataset; `hmean` is the official score (as a percentage)."""
    columns = [[row[name] for row in rows] for name in FIGURES[:3]]
    flat = [value for column in columns for value in column]
    complete = None not in flat
    values = tuple(100 * harmonic_mean([v / 100 for v in column]) for column in (*columns, flat)) if complete else ()
    key = (rows[0]["variant"], rows[0]["dataset"])
    return {
        **rows[0],
        "machine": ALL,
        "section": "",
        **_named(values),
        **_reported(_reported_overall(figures, *key)),
        "n_train": sum(row["n_train"] for row in rows),
        "n_test": sum(row["n_test"] for row in rows),
    }


def _reported_overall(figures: dict, variant: str, dataset: str) -> Reported | None:
    """Return the overall figures recomputed from the report's machines; what it prints itself only without those."""
    return recomputed_overall(figures, variant, dataset) or figures.get((variant, dataset, ALL))


def _seed_rows(rows: list[Row]) -> Iterator[Row]:
    """Yield mean and standard deviation over the seeds of every row that there is once per seed."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in SCORE_COLUMNS[:5]), []).append(row)
    for group in groups.values():
        if len(group) > 1:
            yield {**group[0], "seed": "mean", "recipe": "", **_over_seeds(group, statistics.mean)}
            yield {
                **group[0],
                "seed": "sd",
                "recipe": "",
                **_over_seeds(group, statistics.stdev),
                **_reported(None),
            }


def _over_seeds(group: list[Row], join: Any) -> Row:
    columns = {name: [row[name] for row in group] for name in FIGURES}
    return {name: None if None in values else join(values) for name, values in columns.items()}


def _named(values: tuple[float, ...]) -> Row:
    return dict(zip(FIGURES, values or (None,) * 4, strict=True))


def _reported(figures: Reported | None) -> Row:
    return {f"reported_{name}": getattr(figures, name) if figures else None for name in FIGURES}


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _text(value) if key != "anomaly_score" else value for key, value in row.items()})


def _text(value: Any) -> Any:
    """Round figures to four decimals of a percent: far below what a clip more or less changes."""
    return round(value, 4) if isinstance(value, float) else value
