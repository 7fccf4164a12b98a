"""The loss and the metrics of validation examples, after every epoch."""

from typing import Any

import torch

from asdlib.training.batches import Batches
from asdlib.training.fabric import Fabric


@torch.no_grad()
def agreed_loss(fabric: Fabric, model: Any, batches: Batches) -> tuple[float | None, dict[str, float]]:
    """Return what the first process of a training measures on the validation examples.

    The others draw other numbers, or sum in another order, and all must stop, and change the learning rate, together.
    """
    with fabric.autocast():
        return fabric.broadcast(watched_loss(model, batches))


def watched_loss(model: Any, batches: Batches) -> tuple[float | None, dict[str, float]]:
    """Return the mean loss of the validation examples and the means of the network's own metrics."""
    if not len(batches):
        return None, {}
    model.eval()
    measured = []
    for batch in batches:
        loss = model.loss(batch)
        measured.append({"": loss} | (model.metrics(batch) if hasattr(model.module, "metrics") else {}))
    weights = torch.tensor(batches.sizes, dtype=torch.float64) / batches.examples
    means = {
        name: float((torch.stack([row[name] for row in measured]).double().cpu() * weights).sum())
        for name in measured[0]
    }
    return means.pop(""), means
