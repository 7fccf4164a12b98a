"""Train a network that takes a machine's sound out of a mixture with noise."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from asdlib.data.tables import ClipTable
from asdlib.devices import choose_device
from asdlib.fitting import Job, fit
from asdlib.recipe_keys import arguments
from asdlib.separators import SEPARATORS
from asdlib.training import Examples


def train_separator(
    audio: Path,
    out: Path,
    history: Path,
    settings: dict[str, Any],
    code: str,
    device: str,
    gpus: int,
    threads: int,
) -> None:
    """Write the weights `out` (safetensors, the recipe in its header) and the log `history` (CSV, one row an epoch).

    The network says itself which mixtures it learns from: `examples(audio table)`.
    """
    torch.set_num_threads(threads)

    def build() -> nn.Module:
        return SEPARATORS[settings["kind"]](**arguments("separators", settings))

    def load(network: nn.Module) -> tuple[Examples, int]:
        table = ClipTable(audio)
        return network.examples(table), len(table.clips("train"))

    fit(Job(settings, code, [audio], out, history, choose_device(device, gpus)), build, load)
