"""The gradient of a batch: of the whole batch, in parts, or replayed as a CUDA graph."""

from functools import partial
from typing import Any

from torch import Tensor

from asdlib.training.cuda_graphs import FEWEST, Replay, Terms
from asdlib.training.fabric import Fabric
from asdlib.training.micro_batches import parts
from asdlib.training.terms import TermLog


class Gradients:
    """Adds the gradients of an epoch's `batches` batches to a network that Fabric has set up.

    At most `part` examples are computed at a time (None: whole batches). With `record`, batches of the same shape are
    replayed as a CUDA graph, if there are enough of them.
    """

    def __init__(self, fabric: Fabric, model: Any, part: int | None, record: bool, batches: int):
        self._fabric = fabric
        self._model = model
        self._part = part
        # no method of this object: a cycle would keep the graph, and its memory, until Python looks for garbage
        self._replay = Replay(model.module, partial(_whole, fabric, model)) if record and batches >= FEWEST else None

    def add(self, batch: Any, weight: float, count: int, last: bool, log: TermLog) -> Tensor:
        """Add the gradient of one of a step's `count` batches; return its loss, which has this weight."""
        if self._replay is not None and self._replay.takes(batch):
            terms = self._replay.terms(batch)
            log.add(terms, weight, [])
            return sum(terms.values()) * weight
        losses = []
        pieces = list(parts(batch, self._part))
        for index, (piece, share) in enumerate(pieces, 1):
            with self._fabric.no_backward_sync(self._model, enabled=not last or index < len(pieces)):
                terms = _terms(self._fabric, self._model, piece)
                loss = sum(terms.values()) * (weight * share)
                log.add(terms, weight, self._model.module.parameters(), share)
                self._fabric.backward(loss / count if count > 1 else loss)
            losses.append(loss.detach())
        return sum(losses)


def _terms(fabric: Fabric, model: Any, batch: Any) -> Terms:
    """Return the terms of a batch's loss."""
    with fabric.autocast():
        return model.terms(batch) if hasattr(model.module, "terms") else {"loss": model.loss(batch)}


def _whole(fabric: Fabric, model: Any, batch: Any) -> Terms:
    """Add the gradient of a whole batch; return the terms of its loss."""
    terms = _terms(fabric, model, batch)
    fabric.backward(sum(terms.values()))
    return {name: term.detach() for name, term in terms.items()}
