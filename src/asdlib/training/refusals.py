"""Trainings that are refused because a machine has too few clips, and what follows for those that build on them.

A refused training leaves a checkpoint that says so (`asdlib.errors.REFUSED`). A joint training goes on without the
machines whose clips a refused separator should have made. It names them in its checkpoint, and they are not embedded.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asdlib.data.files import locked
from asdlib.data.tables import ClipTable
from asdlib.errors import REFUSED, TooFewClipsError
from asdlib.runtime.job_environment import is_first
from asdlib.training.history import write_history
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings

LEFT_OUT = "left_out"  # among a checkpoint's facts: {dataset/machine: why a joint training has left it out}
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


@contextmanager
def refusable(recipe: Recipe, out: Path, history: Path) -> Iterator[None]:
    """Write a checkpoint without weights that says why, if the training in the block finds too few clips."""
    try:
        yield
    except TooFewClipsError as error:
        if is_first():
            _notice.warning("%s: not trained: %s", out, error)
            write_untrained(out, history, recipe.settings, {REFUSED: f"{recipe.name}: {error}"})


def write_untrained(out: Path, history: Path, settings: Settings, facts: Settings) -> None:
    """Write a checkpoint without weights, and a log without epochs."""
    with locked(out):
        write_history(history, [])
        checkpoints.save(out, Checkpoint(settings, {}, facts=facts))


def without_refused(features: Sequence[Path], joint: bool) -> tuple[list[Path], dict[str, str]]:
    """Return the tables of a training, and {machine: why} for the machines that a joint training leaves out.

    All tables of such a machine are left out, because with some of them it would be learned in another way than the
    recipe says. Raises TooFewClipsError if no machine remains.
    """
    left_out: dict[str, str] = {}
    for path in features:
        try:
            ClipTable(path)
        except TooFewClipsError as error:
            left_out.setdefault(machine_of(path), str(error))
    kept = [path for path in features if machine_of(path) not in left_out]
    if left_out and not (joint and kept):
        raise TooFewClipsError(next(iter(left_out.values())))
    for machine, why in left_out.items():
        _notice.warning("%s: left out of the joint training: %s", machine, why)
    return kept, left_out


def refuse_left_out(checkpoint: Checkpoint, machines: Iterable[str]) -> None:
    """Raise TooFewClipsError if a checkpoint was trained without one of these machines."""
    for machine in machines:
        if why := checkpoint.facts.get(LEFT_OUT, {}).get(machine):
            raise TooFewClipsError(why)


def machine_of(features: Path) -> str:
    """Return the dataset and machine of a table of features."""
    return f"{features.parent.name}/{features.stem}"
