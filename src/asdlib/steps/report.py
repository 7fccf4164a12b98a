"""Combine tables, illustrations, training histories and costs in one HTML page."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from asdlib.report import tables
from asdlib.report.costs import costs, total
from asdlib.report.curves import History, figures_of, read_history, training_curves
from asdlib.report.illustrations import joined_clips, read_illustrations
from asdlib.report.page import write_page
from asdlib.report.settings import ReportSettings, ShownSystem
from asdlib.report.standings import chart, standings, verdict
from asdlib.workflow import paths

Block = dict[str, Any]
UNMEASURED = {"si_sdr": None, "si_sdr_improvement": None}  # for a separator without metrics
_log = logging.getLogger(__name__)


def report(scores: list[Path], parts: list[Path], out: Path, settings: ReportSettings) -> None:
    """Write the page `out` from the systems' scores.csv and the illustrations of every system and dataset.

    Training histories and the jobs' records are read from `results/`; missing files are skipped.
    """
    rows = tables.read_rows(scores)
    for system in settings.systems:
        tables.refuse_gaps(rows, system, settings.datasets, settings.config["seeds"])
    spent = costs(settings.recipes, [system.name for system in settings.systems], settings.recorded)
    write_page(
        out,
        datasets=[_dataset(rows, name, machines) for name, machines in settings.datasets.items()],
        systems=[_system(rows, system, settings.datasets) for system in settings.systems],
        parts=_Parts(parts),
        seeds=tables.seeds(rows),
        spent=spent,
        spent_by_stage=total(spent),
        config=settings.config,
    )
    _log.info("%s: %.1f MB", out, out.stat().st_size / 1e6)


class _Parts:
    """The illustrations; those of a machine are read only when the page needs them."""

    def __init__(self, paths: list[Path]):
        self._paths = paths

    def of(self, system: str, dataset: str, machine: str) -> Block:
        """Return a system's illustrations of one machine."""
        (path,) = (path for path in self._of(dataset) if path.parts[-3] == system)
        return read_illustrations(path, machine)

    def clips(self, dataset: str, machine: str) -> Iterator[Block]:
        """Yield the clips of a machine that are shown for any system."""
        return joined_clips(self._of(dataset), machine)

    def _of(self, dataset: str) -> list[Path]:
        return [path for path in self._paths if path.name.removesuffix(".zip") == dataset]


def _dataset(rows: pd.DataFrame, name: str, machines: list[str]) -> Block:
    found, score, overview = standings(rows, name), tables.score_title(rows, name), tables.overview(rows, name)
    return {
        "name": name,
        "machines": machines,
        "figures": tables.titles(rows, name),
        "score": score,
        "verdict": verdict(found, score),
        "chart": chart(found, score),
        "mean": tables.MEANS[tables.definition(rows, name).score],
        "overview": overview,
        "compared": tables.compared_figures(overview),
        "by_machine": tables.by_machine(rows, name),
    }


def _system(rows: pd.DataFrame, system: ShownSystem, datasets: dict[str, list[str]]) -> Block:
    """Return a system's tables and its training curves."""
    own = rows[rows["system"] == system.name]
    machines = [f"{name}/{machine}" for name, machines in datasets.items() for machine in machines]
    separators = {key: _histories(paths.separator_history, key, machines) for key in system.separators}
    models = {key: _histories(paths.model_history, key, joint or machines) for key, joint in system.models.items()}
    histories = separators | models
    full = {name: tables.full(own, name) for name in datasets}
    return {
        "name": system.name,
        "title": system.title,
        "report": system.report,
        "tables": full,
        "compared": {name: tables.compared_figures(lines) for name, lines in full.items()},
        "recipes": tables.recipes(own),
        "trainings": [
            {"key": key, "picture": training_curves(key, found, key in system.early_stop)}
            for key, found in histories.items()
            if found
        ],
        "separation": [
            {"key": key, "training": name, **UNMEASURED, **figures_of(history, key in system.early_stop)}
            for key, found in separators.items()
            for name, history in found.items()
        ],
        "silent": [key for key, found in histories.items() if not found],
    }


def _histories(path_of: Callable[..., str], key: str, trainings: list[str]) -> dict[str, History]:
    """Return {<dataset>/<machine>: history} of a recipe's trainings; those without a history are left out."""
    histories = {name: read_history(Path(path_of(key, *name.split("/")))) for name in trainings}
    return {name: history for name, history in histories.items() if history}
