"""Stacks of dense layers."""

from itertools import pairwise

from torch import nn

from asdlib.layers.linear import Linear


def dense_layers(widths: list[int], norm: dict[str, float]) -> list[nn.Module]:
    """Return linear, batch norm and ReLU between every two widths; `norm` are arguments of the batch norms."""
    return [
        layer
        for inputs, outputs in pairwise(widths)
        for layer in (Linear(inputs, outputs), nn.BatchNorm1d(outputs, **norm), nn.ReLU())
    ]
