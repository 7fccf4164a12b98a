"""A training job, which writes weights and a log to disk."""

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
from asdlib.examples.clips import Clips
from asdlib.runtime.freed_memory import keep_freed_memory
from asdlib.runtime.gpu_memory import explained
from asdlib.runtime.job_environment import is_first
from asdlib.training.arithmetic import EXACT, computing
from asdlib.training.batches import Examples
from asdlib.training.collapse import warn_of_collapse
from asdlib.training.frozen import embedded_once
from asdlib.training.history import write_history
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings


@dataclass(frozen=True)
class Job:
    """The inputs and outputs of a training.

    `recipe` is the resolved recipe, `code` a hash of the code that runs, and `inputs` are the files that determine
    the result. Together they decide whether a stored, unfinished training can be resumed. `store_every` are the minutes
    within an epoch after which its state is stored; None: only between epochs.
    """

    recipe: Recipe
    code: str
    inputs: list[Path]
    weights: Path
    history: Path
    device: torch.device
    store_every: float | None = None

    @property
    def identity(self) -> str:
        """The hash of everything that determines the result; a clip table contributes the digest it stores."""
        contents = [ClipTable(path).digest if path.suffix == ".parquet" else _digest(path) for path in self.inputs]
        platform = [self.device.type, torch.get_num_threads(), torch.__version__]
        text = json.dumps([self.recipe.settings, self.code, contents, platform], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """A network with its initial weights, its training examples, and the number of clips behind them.

    `facts` is what the network's `survey` found in the training clips. `embedded` are the clips of a network that
    embeds clips; it is examined for a collapse.
    """

    network: nn.Module
    examples: Examples
    clips: int
    facts: Settings = field(default_factory=dict)
    embedded: Clips | None = None


def fit(job: Job, begin: Callable[[], Task]) -> None:
    """Train the network that `begin` returns and write its weights and log.

    An interrupted training with the same identity resumes at the step that was stored last. The output is locked in the
    meantime: a second writer, such as a new run while an old job is still alive, stops with an AsdError.
    """
    settings, seed = Training(**job.recipe.training), job.recipe.seed
    with (
        locked(job.weights) if is_first() else nullcontext(),
        explained(job.recipe, job.device, training=True),
        computing(settings.precision, job.device, settings.deterministic),
    ):
        store = job.weights.with_name("training.ckpt")
        trainer = Trainer(settings, seed, job.device, store, job.identity, job.store_every)
        first = trainer.launch()
        torch.manual_seed(seed)
        task = begin()
        keep_freed_memory()
        examples = embedded_once(task.network, task.examples, trainer.fabric, trainer.settings.batch_size)
        calibration, epochs = trainer.train(task.network, examples, task.clips)
        if not first:
            return
        if task.embedded is not None:
            with computing(EXACT, job.device):  # as the clips will be embedded
                warn_of_collapse(task.network, task.embedded)
        write_history(job.history, epochs)
        weights = task.network.state_dict()
        checkpoints.save(job.weights, Checkpoint(job.recipe.settings, weights, calibration, task.facts))
        trainer.done()


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
