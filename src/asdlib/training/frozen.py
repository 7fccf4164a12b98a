"""The outputs of a frozen network, computed once for each clip instead of in every epoch."""

import logging
from typing import Any

import torch
from torch import nn

from asdlib.training.fabric import Fabric

_progress = logging.getLogger("asdlib.progress")  # also shown on stderr if that is a terminal


def embedded_once(network: nn.Module, examples: Any, fabric: Fabric, size: int) -> Any:
    """Return examples whose features are the outputs of a network's frozen part, if it has such outputs.

    `network.frozen_part(batch)` are outputs (B, width) that its loss accepts in place of features, or None. They are
    kept in memory, 3 kB a clip for 768 numbers. Clips are computed in whole batches of `size`, as in the training:
    rounding depends on the size of a batch.
    """
    if not hasattr(network, "frozen_part"):
        return examples
    network.to(fabric.device).eval()
    order, parts = torch.arange(len(examples)), []
    with torch.no_grad(), fabric.autocast():
        for piece in order.split(size):
            whole = torch.arange(int(piece[0]), int(piece[0]) + size) % len(examples)
            found = network.frozen_part(examples.batch(whole).to(fabric.device))
            if found is None:
                return examples
            parts.append(found[: len(piece)].float().cpu())
    _progress.info("the frozen encoder's outputs of %d clips were computed once for all epochs", len(examples))
    return examples.with_features(torch.cat(parts))
