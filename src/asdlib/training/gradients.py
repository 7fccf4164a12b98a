"""The gradient of a batch: of the whole batch, in parts, or replayed as a CUDA graph."""

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
        self._replay = Replay(model.module, self._whole) if record and batches >= FEWEST else None

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
                terms = self._terms(piece)
                loss = sum(terms.values()) * (weight * share)
                log.add(terms, weight, self._model.module.parameters(), share)
                self._fabric.backward(loss / count if count > 1 else loss)
            losses.append(loss.detach())
        return sum(losses)

    def _terms(self, batch: Any) -> Terms:
        with self._fabric.autocast():
            terms = self._model.terms if hasattr(self._model.module, "terms") else self._only_term
            return terms(batch)

    def _only_term(self, batch: Any) -> Terms:
        return {"loss": self._model.loss(batch)}

    def _whole(self, batch: Any) -> Terms:
        """Add the gradient of a whole batch; return the terms of its loss."""
        terms = self._terms(batch)
        self._fabric.backward(sum(terms.values()))
        return {name: term.detach() for name, term in terms.items()}
