"""Trainings that are killed right after their state was stored."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asdlib.training.state import StoredState


class Killed(BaseException):
    """Ends a training as a signal would: no `except Exception` stops it."""


@contextmanager
def killed_after(epochs: int | None = None, batches: int = 0) -> Iterator[None]:
    """Kill the training of the block when it has stored so many epochs, by default after the next one.

    With `batches`, kill it when it has stored so many batches of the epoch that follows.
    """
    keep = StoredState.keep

    def keep_and_die(self, model, optimizer, state) -> None:
        keep(self, model, optimizer, state)
        done = state.under_way[0]["done"] if state.under_way else 0
        if done == batches and epochs in (None, len(state.epochs)):
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredState, "keep", keep_and_die)
        with pytest.raises(Killed):
            yield
