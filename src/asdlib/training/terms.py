"""The terms of a loss: the mean of each, and its share of the gradient.

A term whose gradient is far smaller than the others' is not learned, whatever its value does.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

LEAST_SHARE = 0.01  # a term with less of the gradient hardly changes the weights

_log = logging.getLogger(__name__)


def gradient_shares(terms: dict[str, Tensor], weights: Iterable[Tensor]) -> dict[str, float]:
    """Return each term's share of the sum of the terms' gradient norms; the graph is kept.

    Only weights that two or more terms reach count, because the terms compete for these: the gradient of a term's own
    head says nothing about the rest of the network. If there are none, all weights count.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    squares = torch.stack([_squares(term, weights) for term in terms.values()])  # (terms, weights)
    shared = (squares > 0).sum(0) > 1
    norms = squares[:, shared if shared.any() else slice(None)].sum(1).sqrt()
    shares = norms / norms.sum().clamp_min(torch.finfo(norms.dtype).tiny)
    return dict(zip(terms, shares.tolist(), strict=True))


def _squares(term: Tensor, weights: list[Tensor]) -> Tensor:
    """Return the squared norm of a term's gradient for each weight, (weights,); 0 where it does not reach."""
    if not term.requires_grad:
        return torch.zeros(len(weights), dtype=torch.float64, device=term.device)
    gradients = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
    zero = torch.zeros((), dtype=torch.float64, device=term.device)
    return torch.stack([zero if gradient is None else gradient.double().square().sum() for gradient in gradients])


class TermLog:
    """The terms of one epoch. Networks whose loss is a single term have none."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._shares: dict[str, float] = {}
        self._batches = 0.0

    def add(self, terms: dict[str, Tensor], weight: float, weights: Iterable[Tensor], share: float = 1.0) -> None:
        """Add the terms of a batch, or of a part with that share of it, before the backward pass.

        The first one gives the shares of the gradient.
        """
        if len(terms) < 2:
            return
        if not self._batches:
            self._shares = gradient_shares(terms, weights)
        self._batches += share
        for name, term in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + term.detach() * (weight * share)

    def content(self) -> dict[str, Any]:
        """Return what must be stored of an epoch that is under way."""
        return {
            "sums": {name: total.cpu() for name, total in self._sums.items()},
            "shares": self._shares,
            "batches": self._batches,
        }

    def restore(self, content: dict[str, Any], device: torch.device) -> None:
        """Continue from what `content` returned."""
        self._sums = {name: total.to(device) for name, total in content["sums"].items()}
        self._shares, self._batches = content["shares"], content["batches"]

    def columns(self, fabric: Any) -> dict[str, float]:
        """Return the columns of the epoch's row: each term's mean, and its share as `<term>_gradient`."""
        sums = {name: float(fabric.all_reduce(total, reduce_op="mean")) for name, total in self._sums.items()}
        means = {name: total / self._batches for name, total in sums.items()}
        return means | {f"{name}_gradient": share for name, share in self._shares.items()}


def describe(columns: dict[str, float]) -> str:
    """Return the terms of an epoch as text."""
    names = [name for name in columns if f"{name}_gradient" in columns]
    return ", ".join(
        f"{name} {columns[name]:.4g} ({columns[f'{name}_gradient']:.2%} of the gradient)" for name in names
    )


def warn_of_idle_terms(epochs: Sequence[dict[str, float]]) -> None:
    """Warn of every term that had less than 1 % of the gradient in the mean of the epochs."""
    for name in (name for name in (epochs[0] if epochs else {}) if name.endswith("_gradient")):
        share = sum(columns[name] for columns in epochs) / len(epochs)
        if share < LEAST_SHARE:
            _log.warning(
                "the loss term %s has %.2g %% of the gradient: it hardly changes the weights",
                name.removesuffix("_gradient"), 100 * share,
            )  # fmt: skip
