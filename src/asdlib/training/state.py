"""The state of a training, stored after every epoch and within long ones, so that a killed training can be resumed."""

import glob
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from xxhash import xxh3_128

from asdlib.data.files import atomic
from asdlib.errors import AsdError
from asdlib.runtime.job_environment import is_first
from asdlib.training.history import Epoch

_MARK = b"asdlib digest: "  # followed by the digest of everything before it, at the end of the file
_DIGEST = 16  # bytes
_CHUNK = 1 << 20  # bytes
_log = logging.getLogger(__name__)


@dataclass
class State:
    """The state of a training, from which it can be resumed."""

    epochs: list[Epoch] = field(default_factory=list)
    losses: Tensor | None = None  # of the last epoch's batches
    best: dict[str, Tensor] | None = None  # the weights of the best epoch, if early stopping is on
    best_losses: Tensor | None = None  # of that epoch's batches
    under_way: list[dict[str, Any]] | None = None  # of the next epoch, what each process has computed
    part: int | None = None  # the examples that are computed at a time, if `micro_batch: auto` has found them

    @property
    def watched(self) -> list[float | None]:
        """The epochs' validation losses."""
        return [epoch.validation_loss for epoch in self.epochs]


class StoredState:
    """The file that keeps the state of an unfinished training.

    `identity` stands for the settings, code and inputs. A state with another identity, or without its digest, is not
    used. It is kept under the name `<name>.unused`, or `<name>.unused2` and so on, until the training has ended. Within
    an epoch, the state is due every `minutes`; with None, never.
    """

    def __init__(self, path: Path, identity: str, minutes: float | None = None):
        self._path = Path(path)
        self._unused = self._path.with_name(f"{self._path.name}.unused")
        self._identity = identity
        self._minutes = minutes
        self._kept = time.monotonic()

    def is_due(self) -> bool:
        """Return whether so many minutes have passed since the state was last stored, or since the beginning."""
        return self._minutes is not None and time.monotonic() - self._kept >= 60 * self._minutes

    def keep(self, model: nn.Module, optimizer: Optimizer, state: State) -> None:
        """Write the state, after an epoch or between two steps of one."""
        content = {
            "identity": self._identity,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs": [asdict(epoch) for epoch in state.epochs],
            "losses": state.losses,
            "best": state.best,
            "best_losses": state.best_losses,
            "under_way": state.under_way,
            "part": state.part,
        }
        with atomic(self._path) as temporary:
            torch.save(content, temporary)
            _seal(temporary)
        self._kept = time.monotonic()

    def resume(self, model: nn.Module, optimizer: Optimizer, agree: Callable[[Any], Any] = lambda own: own) -> State:
        """Load the stored state, if there is one with the same identity; otherwise return an empty state.

        The file is whole if it has its digest. An error after that, such as too little memory, is not its fault. It is
        raised, and the file stays. With several processes, `agree` returns what the first of them found, so that none
        starts over alone.
        """
        content, problem = self._read()
        resumed, problem = agree((content is not None, problem))
        if problem:
            return self._start_over(problem)
        if not resumed:
            return State()
        if content is None:
            raise AsdError(f"{self._path}: one process of the training cannot read it: check the disk, then run again")
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        epochs = [Epoch(**row) for row in content["epochs"]]
        others = {name: content[name] for name in ("losses", "best", "best_losses", "under_way", "part")}
        state = State(epochs, **others)
        done = f" and {state.under_way[0]['done']} batches of the next" if state.under_way else ""
        _log.info("resuming after epoch %d%s", len(epochs), done)
        return state

    def _read(self) -> tuple[dict[str, Any] | None, str | None]:
        """Return the content of the file, and what is wrong with it; neither if there is no file."""
        if not self._path.is_file():
            return None, None
        if problem := _damage(self._path):
            return None, problem
        content = torch.load(self._path, map_location="cpu", weights_only=True)
        if content["identity"] != self._identity:
            return None, "belongs to other settings, code or inputs"
        return content, None

    def remove(self) -> None:
        """Remove the file, those that were not used, and what killed jobs on other nodes have begun to write."""
        own = glob.escape(self._path.name)
        left = f".{own}.*.part"  # the training's lock says that none of these jobs is alive
        for path in [self._path, *self._path.parent.glob(f"{own}.unused*"), *self._path.parent.glob(left)]:
            path.unlink(missing_ok=True)

    def _free(self) -> Path:
        """Return a name for a state that is not used; what an earlier one keeps, such as days on a GPU, stays."""
        numbers = ("", *range(2, 1000))
        names = (self._unused.with_name(f"{self._unused.name}{number}") for number in numbers)
        return next(path for path in names if not path.exists())

    def _start_over(self, problem: str) -> State:
        """Say so, and put the file out of the way of the next one."""
        free = self._free()
        _log.warning(
            "%s: %s: the training starts over; the file is kept as %s until it has ended",
            self._path, problem, free.name,
        )  # fmt: skip
        if is_first():
            try:
                self._path.replace(free)
            except OSError as error:
                raise AsdError(
                    f"{self._path}: cannot be renamed ({error.strerror}): make the folder writable"
                ) from error
        return State()


def _seal(path: Path) -> None:
    """Append the digest to a file. PyTorch's files are zip archives, which are read from a directory at their end."""
    with path.open("r+b") as file:
        digest = _digest(file, path.stat().st_size)
        file.seek(0, os.SEEK_END)
        file.write(_MARK + digest)


def _damage(path: Path) -> str | None:
    """Return what is wrong with a file, None if it has its digest."""
    end = len(_MARK) + _DIGEST
    try:
        with path.open("rb") as file:
            digest = _digest(file, path.stat().st_size - end)
            return None if file.read() == _MARK + digest else "is damaged (it does not match its digest)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _digest(file: BinaryIO, size: int) -> bytes:
    """Return the digest of the next `size` bytes of a file."""
    found = xxh3_128()
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        found.update(chunk)
        size -= len(chunk)
    return found.digest()
