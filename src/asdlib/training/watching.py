"""The loss and the metrics of validation examples, after every epoch."""

from typing import Any

import torch

from asdlib.training.batches import Batches


@torch.no_grad()
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
