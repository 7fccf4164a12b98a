"""What the readers of recordings say while they read, as problems."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from asdlib.data.checks.problem import WARNING, Problem


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.problems: list[Problem] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.problems.append(Problem(WARNING, record.getMessage()))


@contextmanager
def notices() -> Iterator[list[Problem]]:
    """Return a list that gets every warning of the library, which is not printed meanwhile."""
    keeper, logger = _Keeper(), logging.getLogger("asdlib")
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(keeper)
    try:
        yield keeper.problems
    finally:
        logger.removeHandler(keeper)
        logger.propagate = propagates
