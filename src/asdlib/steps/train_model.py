"""Train a model on one machine's clips, or on those of all machines."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from asdlib import checkpoints
from asdlib.blocks.clips import load_clips
from asdlib.devices import choose_device
from asdlib.fitting import Job, fit
from asdlib.models import MODELS
from asdlib.recipe_keys import arguments
from asdlib.training import Examples


def train_model(
    features: list[Path],
    init: list[Path],
    out: Path,
    history: Path,
    settings: dict[str, Any],
    code: str,
    device: str,
    gpus: int,
    threads: int,
) -> None:
    """Write the weights `out` (safetensors, the recipe in its header) and the log `history` (CSV, one row an epoch).

    `init` holds no or one checkpoint to start from.
    """
    torch.set_num_threads(threads)

    def build() -> nn.Module:
        network = MODELS[settings["kind"]](**arguments("models", settings))
        for path in init:
            network.load_state_dict(checkpoints.load(path).weights)
        return network

    def load(network: nn.Module) -> tuple[Examples, int]:
        clips = load_clips(features, "train")
        return network.examples(clips), len(clips.table)

    fit(Job(settings, code, [*features, *init], out, history, choose_device(device, gpus)), build, load)
