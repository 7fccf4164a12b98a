"""The real training loop with a recipe's artificial clips, for the checks of `gpu_check.py`."""

import math
from copy import copy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from gpu_recipes import Case

from asdlib.training.cuda_graphs import FEWEST
from asdlib.training.history import Epoch
from asdlib.training.state import StoredState
from asdlib.training.trainer import Trainer

TIMED = 10  # micro-batches
ACCUMULATED = 5  # micro-batches of a step, at most
LASTING = 1.0  # s of usual steps: so many are timed where they are replayed as a CUDA graph, within the next two
GRAPHED = 20, 200


def fed(made: Case, device: torch.device, usual: float) -> float:
    """Return the seconds of a micro-batch in the real training loop, which brings every batch to the device.

    `usual` are those of a step of one batch that is there already, without a graph.
    Two epochs of unequal length are compared, so that what an epoch does once does not count: it records a CUDA graph,
    and computes the gradients of the loss's terms.
    """
    training = made.training
    accumulate = min(training.accumulate, ACCUMULATED)
    in_the_loop(replace(made, training=replace(training, accumulate=1)), device, 1)
    made = replace(made, training=replace(training, accumulate=accumulate))
    fewest, more = (FEWEST, _replayed(usual)) if training.cuda_graph else (1, -(-TIMED // accumulate))
    short, long = (in_the_loop(made, device, steps).seconds for steps in (fewest, fewest + more))
    found = (long - short) / (more * accumulate)
    return found if found > 0 else math.nan  # where short steps vary by more than they take


def _replayed(usual: float) -> int:
    """Return how many replayed steps are timed: short ones vary more."""
    least, most = GRAPHED
    return min(most, max(least, round(LASTING / usual)))


def in_the_loop(made: Case, device: torch.device, steps: int) -> Epoch:
    """Return an epoch of so many steps in the real training loop, whose state is not stored."""
    short = replace(
        made.training, epochs=1, steps_per_epoch=steps, validation=0.0, validation_recordings=None,
        schedule="constant", early_stop=None, warmup_epochs=0.0,
    )  # fmt: skip
    with TemporaryDirectory() as folder, patch.object(StoredState, "keep"):
        trainer = Trainer(short, 0, device, Path(folder) / "training.ckpt", "check")
        if hasattr(made.network, "finish"):
            made.network.finish = lambda *_: {}
        return trainer.train(made.network, _unwatched(made.examples), len(made.examples))[1][0]


def _unwatched(examples: Any) -> Any:
    """Return examples without their validation set."""
    found = copy(examples)
    vars(found).pop("validation", None)
    return found
