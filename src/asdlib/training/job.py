"""One training job: from a network and its examples to weights and a log on disk."""

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from asdlib.data.files import locked
from asdlib.data.tables import ClipTable
from asdlib.runtime.job_environment import is_first
from asdlib.training.batches import Examples
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer, write_history
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings


@dataclass(frozen=True)
class Job:
    """What a training reads and writes.

    `recipe` is the resolved recipe, `code` the hash of the code that runs, `inputs` the files that decide the
    outcome: together they tell whether a stored, unfinished training may be continued.
    """

    recipe: Recipe
    code: str
    inputs: list[Path]
    weights: Path
    history: Path
    device: torch.device

    @property
    def identity(self) -> str:
        """Name the training by all that decides its outcome; clip tables are named by the digest that they carry."""
        contents = [ClipTable(path).digest if path.suffix == ".parquet" else _digest(path) for path in self.inputs]
        place = [self.device.type, torch.get_num_threads(), torch.__version__]
        text = json.dumps([self.recipe.settings, self.code, contents, place], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """A network with its first weights, what it is to learn from, and how many clips that is.

    `facts` are what it learned from the clips before it had its shape.
    """

    network: nn.Module
    examples: Examples
    clips: int
    facts: Settings = field(default_factory=dict)


def fit(job: Job, begin: Callable[[], Task]) -> None:
    """Train what `begin` gives and write the result.

    An interrupted training of the same identity goes on after its last epoch. The output is locked meanwhile: a
    second writer, such as a rerun beside a forgotten job, stops with a clear error.
    """
    with locked(job.weights) if is_first() else nullcontext():
        seed = job.recipe.seed
        store = job.weights.with_name("training.ckpt")
        trainer = Trainer(Training(**job.recipe.training), seed, job.device, store, job.identity)
        first = trainer.launch()
        torch.manual_seed(seed)
        task = begin()
        calibration, epochs = trainer.train(task.network, task.examples, task.clips)
        if not first:
            return
        write_history(job.history, epochs)
        weights = task.network.state_dict()
        checkpoints.save(job.weights, Checkpoint(job.recipe.settings, weights, calibration, task.facts))
        trainer.done()


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
