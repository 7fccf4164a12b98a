"""Optimisers, learning rate schedules and early stopping."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.training.settings import Training

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(network: nn.Module, settings: Training) -> torch.optim.Optimizer:
    """Return the optimiser of a network's trainable parameters.

    A network can define `parameter_groups`; the `rate` of a group is a factor on the learning rate.
    """
    if settings.optimizer not in OPTIMIZERS:
        raise AsdError(f"training.optimizer: {settings.optimizer!r}: use one of: {', '.join(OPTIMIZERS)}")
    if hasattr(network, "parameter_groups"):
        groups = [{"rate": 1.0, **group} for group in network.parameter_groups()]
    else:
        groups = [{"rate": 1.0, "params": [p for p in network.parameters() if p.requires_grad]}]
    # fused: one kernel instead of a loop over the parameters, which takes a third of a small network's step on a CPU
    return OPTIMIZERS[settings.optimizer](
        groups,
        lr=settings.learning_rate,
        betas=tuple(settings.betas or (0.9, 0.999)),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]


def learning_rate(settings: Training, step: int, steps: int, watched: Sequence[float | None] = ()) -> float:
    """Return the learning rate of step `step` of `steps`: a linear warm-up, then constant, cosine or plateau.

    `watched` holds the validation losses of the epochs so far. The plateau schedule multiplies the rate by `factor`
    each time `patience` epochs in a row have not improved the loss.
    """
    warmup = round(settings.warmup_epochs * steps / settings.epochs)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "plateau":
        return settings.learning_rate * settings.factor ** _plateaus(watched, settings.patience)
    if settings.schedule != "cosine":
        raise AsdError(f"training.schedule: {settings.schedule!r}: use constant, cosine or plateau")
    done = (step - warmup) / max(1, steps - warmup)
    span = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + span * (1 + math.cos(math.pi * done)) / 2


def best_epoch(watched: Sequence[float | None]) -> int:
    """Return the index of the lowest validation loss; of equal ones the first."""
    return min(range(len(watched)), key=lambda epoch: watched[epoch])


def stopped(settings: Training, watched: Sequence[float | None]) -> bool:
    """Return whether to stop early, because `early_stop` epochs have passed since the best one."""
    return bool(settings.early_stop and watched and len(watched) - 1 - best_epoch(watched) >= settings.early_stop)


def refuse_unwatched(settings: Training, validation: Any) -> None:
    """Raise AsdError for settings that need a validation loss if no examples are held out."""
    for key, asked in (("schedule", settings.schedule == "plateau"), ("early_stop", settings.early_stop)):
        if asked and not len(validation):
            raise AsdError(f"training.{key}: needs a validation loss: hold examples out (training.validation)")


def refuse_diverged(loss: float, norms: Tensor, weights: Iterable[Tensor], epoch: int) -> None:
    """Raise AsdError if an epoch's loss, the norm of a gradient or a weight is not finite."""
    remedy = "lower training.learning_rate or set clip_norm"
    if not math.isfinite(loss):
        raise AsdError(f"training: the loss is {loss} in epoch {epoch + 1}: {remedy}")
    if not norms.isfinite().all():
        raise AsdError(f"training: the gradient is not finite in epoch {epoch + 1}: lower training.learning_rate")
    if not torch.stack([weight.detach().sum() for weight in weights]).isfinite().all():
        raise AsdError(f"training: the weights are not finite after epoch {epoch + 1}: {remedy}")


def refuse_unknown(settings: Training, watched: float | None, epoch: int) -> None:
    """Raise AsdError if a validation loss that decides is not finite: nothing is lower or higher than NaN."""
    decides = settings.early_stop or settings.schedule == "plateau"
    if decides and watched is not None and not math.isfinite(watched):
        raise AsdError(
            f"training: the validation loss is {watched} in epoch {epoch + 1}: check the held-out examples, or lower "
            "training.learning_rate"
        )


def _plateaus(watched: Sequence[float | None], patience: int) -> int:
    """Count how often `patience` epochs in a row did not improve on the best loss; each time the count restarts."""
    best, waited, count = math.inf, 0, 0
    for loss in watched:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            waited, count = 0, count + 1
    return count
