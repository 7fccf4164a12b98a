"""Stacks of dense layers."""

from itertools import pairwise

from torch import nn


def dense_layers(widths: list[int], norm: dict[str, float]) -> list[nn.Module]:
    """Return linear, batch norm and ReLU layers from width to width; `norm` holds the batch norms' arguments.

    The ReLU overwrites its input, which no gradient needs.
    """
    return [
        layer
        for inputs, outputs in pairwise(widths)
        for layer in (nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs, **norm), nn.ReLU(inplace=True))
    ]
