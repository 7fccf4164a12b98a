"""How trainings went: the histories of models and separators, a line a machine."""

import csv
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from asdlib.report.images import DASHES, LINES, Picture, new_figure, picture, styled

# What a history's panels show: (title, columns, the last one dashed).
LOSS = ("loss", ("loss", "validation_loss"))
IMPROVEMENT = ("SI-SDR improvement in dB", ("si_sdr_improvement",))
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
def training_curves(name: str, histories: dict[str, History]) -> Picture:
    """Draw a recipe's histories, one line a place (a machine, or all of them); validation dashed."""
    known = {column for history in histories.values() for column, values in history.items() if any(values)}
    panels = [panel for panel in (LOSS, IMPROVEMENT) if known & set(panel[1])]
    figure, all_axes = new_figure(len(panels), height=2.3)
    for (title, columns), axes in zip(panels, all_axes, strict=True):
        for number, (place, history) in enumerate(histories.items()):
            for column, dash in zip(columns, DASHES, strict=False):
                label = place if dash == DASHES[0] else None
                _line(axes, history, column, linestyle=dash, color=LINES[number % len(LINES)], label=label)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    return picture(figure, f"Training of {name}. {' '.join(_said(*pair) for pair in histories.items())}")


def _line(axes: Any, history: History, column: str, **style: Any) -> None:
    """Draw a column where it has values; few epochs are marked one by one."""
    values = history.get(column, [None] * len(history["epoch"]))
    points = [point for point in zip(history["epoch"], values, strict=True) if point[1] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 25 else None, linewidth=1.3, **style)


def last(history: History, column: str) -> float | None:
    """Return the last epoch's value of a column."""
    return next(iter(reversed(history.get(column, []))), None)


def _said(place: str, history: History) -> str:
    names = {"loss": "loss", "validation_loss": "validation loss", "si_sdr_improvement": "SI-SDR improvement"}
    values = {said: last(history, column) for column, said in names.items()}
    figures: list[Any] = [f"{said} {value:.3g}" for said, value in values.items() if value is not None]
    return f"{place}, {len(history['epoch'])} epochs: {', '.join(figures)}."
