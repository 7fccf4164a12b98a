"""Train a network that extracts a machine's sound from a mixture with noise."""

import logging
from pathlib import Path

import torch

from asdlib.data.files import locked
from asdlib.data.tables import ClipTable
from asdlib.runtime.devices import choose_device
from asdlib.separation.settings import Pairs
from asdlib.separation.training_data import separation_data
from asdlib.training.build import build_separator
from asdlib.training.history import write_history
from asdlib.training.job import Job, Task, fit
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings

_log = logging.getLogger(__name__)


def train_separator(
    audio: Path,
    noise: list[Path],
    out: Path,
    history: Path,
    settings: Settings,
    code: str,
    device: str,
    gpus: int,
    threads: int,
) -> None:
    """Write the weights `out` (safetensors with the recipe in the header) and `history` (CSV with one row per epoch).

    `noise` are the tables of other machines, of which only the noise supplements are read, and of the noise pool. If
    there is nothing to train on, the checkpoint has no weights, and the clips of the machine pass `separate` unchanged.
    """
    torch.set_num_threads(threads)
    recipe = Recipe("separators", settings)
    table, others = ClipTable(audio), [ClipTable(path) for path in noise]
    examples, how = separation_data(table, others, Pairs(**settings["pairs"]), recipe.seed)
    _log.info("%s", how)
    if examples is None:
        _write_identity(out, history, settings, how)
        return

    def begin() -> Task:
        return Task(build_separator(recipe), examples, len(examples), {"pairs": how})

    fit(Job(recipe, code, [audio, *noise], out, history, choose_device(device, gpus)), begin)


def _write_identity(out: Path, history: Path, settings: Settings, why: str) -> None:
    with locked(out):
        write_history(history, [])
        checkpoints.save(out, Checkpoint(settings, {}, facts={"identity": why}))
