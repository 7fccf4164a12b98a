"""Curves of the training histories of models and separators."""

import csv
import io
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.report.images import LINES, MARKERS, Picture, joint_legend, new_figure, picture, styled

# The panels of a history: (title, columns); a second column is that of the validation examples.
LOSS = ("loss", ("loss", "validation_loss"))
IMPROVEMENT = ("SI-SDR improvement in dB", ("si_sdr_improvement",))
WATCHED = {"linewidth": 0.8, "linestyle": "--", "markerfacecolor": "none", "alpha": 0.7}
MARKED = 12  # the largest number of marked epochs on a line
ABREAST = 2  # labels per line of the legend, because they can be long
History = dict[str, list[float | None]]


def read_history(path: Path) -> History | None:
    """Return the columns of a training.csv or metrics.csv, or None if it does not exist or holds no epochs.

    Raises AsdError if the file is damaged.
    """
    if not path.is_file():
        return None
    names, *rows = csv.reader(io.StringIO(whole_text(path)))
    try:
        columns = [[float(cell) if cell else None for cell in column] for column in zip(*rows, strict=True)]
        history = dict(zip(names, columns, strict=True)) if rows else None
        if rows and history["epoch"] != list(range(1, len(rows) + 1)):
            raise ValueError("the epochs are not numbered")
    except (ValueError, KeyError) as error:
        raise AsdError(f"{path}: is not the log of a training ({error}): delete its folder and run again") from error
    return history


@styled
def training_curves(name: str, histories: dict[str, History], early_stop: bool) -> Picture:
    """Return a picture of a recipe's histories, one line per label (a machine, or all); validation is dashed.

    `early_stop` is as in `kept_epoch`.
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
        for number, (label, history) in enumerate(histories.items()):
            for column, style in zip(columns, ({"label": label, "linewidth": 1.3}, WATCHED), strict=False):
                _line(axes, history, column, number, **style)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    joint_legend(figure, all_axes, loc="outside lower center", ncols=ABREAST)
    text = " ".join(_text(label, history, early_stop) for label, history in histories.items())
    return picture(figure, f"Training of {name}. {text}")


def _line(axes: Any, history: History, column: str, number: int, **style: Any) -> None:
    """Draw a column where it has values, in the colour and with the marker of line `number`."""
    values = history.get(column, [None] * len(history["epoch"]))
    points = [point for point in zip(history["epoch"], values, strict=True) if point[1] is not None]
    step = -(-len(points) // MARKED)
    if points:
        axes.plot(*zip(*points, strict=True), color=LINES[number % len(LINES)], marker=MARKERS[number % len(MARKERS)],
                  markevery=(number % step, step), markersize=3.5, **style)  # fmt: skip


def kept_epoch(history: History, early_stop: bool) -> int:
    """Return the index of the epoch whose weights the training kept (see asdlib.training.trainer).

    If the training has `early_stop`, this is the first epoch with the lowest validation loss, otherwise the last epoch.
    """
    watched = history["validation_loss"]
    return watched.index(min(watched)) if early_stop else len(watched) - 1


def figures_of(history: History, early_stop: bool) -> dict[str, Any]:
    """Return the row of the kept epoch, with None for figures not measured, and the number of `epochs`."""
    kept = kept_epoch(history, early_stop)
    row = {name: values[kept] for name, values in history.items()}
    return {**row, "epoch": kept + 1, "epochs": len(history["epoch"])}


def _text(label: str, history: History, early_stop: bool) -> str:
    names = {"loss": "loss", "validation_loss": "validation loss", "si_sdr_improvement": "SI-SDR improvement"}
    row = figures_of(history, early_stop)
    figures = [f"{title} {row[column]:.3g}" for column, title in names.items() if row.get(column) is not None]
    return f"{label}, epoch {row['epoch']} of {row['epochs']}: {', '.join(figures)}."
