"""Trainings that are killed right after an epoch was stored."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asdlib.training.state import StoredState


class Killed(BaseException):
    """Ends a training as a signal would: no `except Exception` stops it."""


@contextmanager
def killed_after(epochs: int | None = None) -> Iterator[None]:
    """Kill the training of the block when it has stored so many epochs, by default after the next one."""
    keep = StoredState.keep

    def keep_and_die(self, model, optimizer, state) -> None:
        keep(self, model, optimizer, state)
        if epochs in (None, len(state.epochs)):
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredState, "keep", keep_and_die)
        with pytest.raises(Killed):
            yield
