"""The log of a training: one row per epoch."""

import csv
import logging
from dataclasses import dataclass, field
from pathlib import Path

from asdlib.data.files import atomic
from asdlib.training.terms import describe

_progress = logging.getLogger("asdlib.progress")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """One row of a training's log."""

    epoch: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    clips_per_second: float
    seconds: float
    terms: dict[str, float] = field(default_factory=dict)  # the terms of the loss and their shares of the gradient
    metrics: dict[str, float] = field(default_factory=dict)  # the network's own: `metrics` and `epoch_metrics`


def write_history(path: Path, epochs: list[Epoch]) -> None:
    """Write the log of a training, one row per epoch, with the network's own terms and metrics in the last columns."""
    own = [name for name in Epoch.__dataclass_fields__ if name not in ("terms", "metrics")]
    rows = [{name: getattr(epoch, name) for name in own} | epoch.terms | epoch.metrics for epoch in epochs]
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]) if rows else own, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def duration(seconds: float) -> str:
    """Return a time as text, such as 2h05m or 3m10s."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"


def show(epochs: list[Epoch], planned: int) -> None:
    """Log the last epoch."""
    last = epochs[-1]
    left = (planned - last.epoch) * sum(epoch.seconds for epoch in epochs) / len(epochs)
    watched = {} if last.validation_loss is None else {"validation": last.validation_loss, **last.metrics}
    _progress.info(
        "epoch %d/%d  loss %.4g%s  %.0f clips/s  %s left",
        last.epoch, planned, last.loss, "".join(f"  {name} {value:.4g}" for name, value in watched.items()),
        last.clips_per_second, duration(left),
    )  # fmt: skip
    if last.terms:
        _log.info("epoch %d: %s", last.epoch, describe(last.terms))
