"""Train a network that extracts a machine's sound from a mixture with noise."""

import logging
from pathlib import Path

import torch

from asdlib.data.tables import ClipTable
from asdlib.runtime.devices import choose_device
from asdlib.separation.settings import Pairs
from asdlib.separation.training_data import separation_data
from asdlib.training.build import build_separator
from asdlib.training.job import Job, Task, fit
from asdlib.training.refusals import refusable, write_untrained
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
    store_every: float | None,
) -> None:
    """Write the weights `out` (safetensors with the recipe in the header) and `history` (CSV with one row per epoch).

    `noise` are the tables of other machines, of which only the noise supplements are read, and of the noise pool. If
    there is nothing to train on, the checkpoint has no weights, and the clips of the machine pass `separate` unchanged.
    If there are too few recordings, `out` says so and has no weights either. Within an epoch, the state is stored every
    `store_every` minutes (None: never).
    """
    torch.set_num_threads(threads)
    recipe = Recipe("separators", settings)
    table, others = ClipTable(audio), [ClipTable(path) for path in noise]
    with refusable(recipe, out, history):
        examples, how = separation_data(table, others, Pairs(**settings["pairs"]), recipe.seed)
        _log.info("%s", how)
        if examples is None:
            write_untrained(out, history, settings, {"identity": how})
            return

        def begin() -> Task:
            return Task(build_separator(recipe), examples, len(examples), {"pairs": how})

        job = Job(recipe, code, [audio, *noise], out, history, choose_device(device, gpus), store_every)
        fit(job, begin)
