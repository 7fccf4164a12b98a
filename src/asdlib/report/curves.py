"""How trainings went: the histories of models and separators, a line a machine."""

import csv
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from asdlib.report.images import LINES, MARKERS, Picture, joint_legend, new_figure, picture, styled

# What a history's panels show: (title, columns, the second one watched only).
LOSS = ("loss", ("loss", "validation_loss"))
IMPROVEMENT = ("SI-SDR improvement in dB", ("si_sdr_improvement",))
WATCHED = {"linewidth": 0.8, "linestyle": "--", "markerfacecolor": "none", "alpha": 0.7}
MARKED = 12  # epochs of a line, at most
ABREAST = 2  # places on a line of the legend: their names may be long
History = dict[str, list[float | None]]


def read_history(path: Path) -> History | None:
    """Return the columns of a training.csv or metrics.csv; None if it is gone, or holds no epoch (nothing to learn)."""
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    if not rows:
        return None
    return {name: [float(row[name]) if row[name] else None for row in rows] for name in rows[0]}


@styled
def training_curves(name: str, histories: dict[str, History], early_stop: bool) -> Picture:
    """Draw a recipe's histories, one line a place (a machine, or all of them); validation thin, dashed and hollow.

    `early_stop` as in `kept_epoch`.
    """
    known = {
        column
        for history in histories.values()
        for column, values in history.items()
        if any(value is not None for value in values)
    }
    panels = [panel for panel in (LOSS, IMPROVEMENT) if known & set(panel[1])]
    figure, all_axes = new_figure(len(panels), height=2.2 + 0.16 * -(-len(histories) // ABREAST))
    for (title, columns), axes in zip(panels, all_axes, strict=True):
        for number, (place, history) in enumerate(histories.items()):
            for column, style in zip(columns, ({"label": place, "linewidth": 1.3}, WATCHED), strict=False):
                _line(axes, history, column, number, **style)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    joint_legend(figure, all_axes, loc="outside lower center", ncols=ABREAST)
    said = " ".join(_said(place, history, early_stop) for place, history in histories.items())
    return picture(figure, f"Training of {name}. {said}")


def _line(axes: Any, history: History, column: str, number: int, **style: Any) -> None:
    """Draw a column where it has values, in the colour and with the marker of a number."""
    values = history.get(column, [None] * len(history["epoch"]))
    points = [point for point in zip(history["epoch"], values, strict=True) if point[1] is not None]
    step = -(-len(points) // MARKED)
    if points:
        axes.plot(*zip(*points, strict=True), color=LINES[number % len(LINES)], marker=MARKERS[number % len(MARKERS)],
                  markevery=(number % step, step), markersize=3.5, **style)  # fmt: skip


def kept_epoch(history: History, early_stop: bool) -> int:
    """Return the index of the epoch whose weights the training kept (asdlib.training.trainer).

    That is the first with the lowest validation loss if the recipe's training has `early_stop`, else the last.
    """
    watched = history["validation_loss"]
    return watched.index(min(watched)) if early_stop else len(watched) - 1


def figures_of(history: History, early_stop: bool) -> dict[str, Any]:
    """Return the kept epoch's row, None for what was not measured, with `epochs`, the number of all."""
    kept = kept_epoch(history, early_stop)
    row = {name: values[kept] for name, values in history.items()}
    return {**row, "epoch": kept + 1, "epochs": len(history["epoch"])}


def _said(place: str, history: History, early_stop: bool) -> str:
    names = {"loss": "loss", "validation_loss": "validation loss", "si_sdr_improvement": "SI-SDR improvement"}
    row = figures_of(history, early_stop)
    figures = [f"{said} {row[column]:.3g}" for column, said in names.items() if row.get(column) is not None]
    return f"{place}, epoch {row['epoch']} of {row['epochs']}: {', '.join(figures)}."
