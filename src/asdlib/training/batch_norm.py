"""The running statistics of batch norm after a short training.

A running mean starts at 0, a running variance at 1, and every batch replaces only the share `momentum` of them. After
few batches the statistics used to embed clips are largely these initial values, and not those of any clip.
"""

import logging
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from asdlib.examples.clips import Batch

MOST_INITIAL = 0.01  # largest share of the initial values that may be left

_log = logging.getLogger(__name__)


def initial_share(network: nn.Module) -> float:
    """Return the largest share that initial values have in a running statistic of the network; 0 without any."""
    return max((_left(layer) for layer in layers_of(network)), default=0.0)


@torch.no_grad()
def settle(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Replace running statistics that are not settled by those of the training examples, with the final weights.

    A long training keeps its own. `batches` are the training examples; nothing else than batch norm is in training
    mode, so that there is no dropout and clips are not mixed.
    """
    share = initial_share(network)
    if share <= MOST_INITIAL:
        return
    layers = layers_of(network)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
        layer.train()
    for batch in batches:
        network.loss(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.eval()
    _log.info(
        "batch norm: after this few steps, %.0f %% of the running statistics are initial values: "
        "they are computed anew from the training examples", 100 * share,
    )  # fmt: skip


def layers_of(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms of a network that keep running statistics."""
    return [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]


def _left(layer: _BatchNorm) -> float:
    """Return the share of the initial values; a momentum of None means the plain mean, in which they have none."""
    return 0.0 if layer.momentum is None else (1 - layer.momentum) ** int(layer.num_batches_tracked)
