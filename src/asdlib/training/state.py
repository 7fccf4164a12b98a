"""The state of a training, stored after every epoch so that a killed training can be resumed."""

import logging
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from asdlib.data.files import atomic
from asdlib.training.history import Epoch

_log = logging.getLogger(__name__)


@dataclass
class State:
    """The state of a training, from which it can be resumed."""

    epochs: list[Epoch] = field(default_factory=list)
    losses: Tensor | None = None  # of the last epoch's batches
    best: dict[str, Tensor] | None = None  # the weights of the best epoch, if early stopping is on

    @property
    def watched(self) -> list[float | None]:
        """The epochs' validation losses."""
        return [epoch.validation_loss for epoch in self.epochs]


class StoredState:
    """The file that keeps the state of an unfinished training.

    `identity` stands for the settings, code and inputs: a state with another identity is discarded.
    """

    def __init__(self, path: Path, identity: str):
        self._path = Path(path)
        self._identity = identity

    def keep(self, model: nn.Module, optimizer: Optimizer, state: State) -> None:
        """Write the state after an epoch."""
        content = {
            "identity": self._identity,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs": [asdict(epoch) for epoch in state.epochs],
            "losses": state.losses,
            "best": state.best,
        }
        with atomic(self._path) as temporary:
            torch.save(content, temporary)

    def resume(self, model: nn.Module, optimizer: Optimizer, device: torch.device) -> State:
        """Load the stored state, if there is one with the same identity; otherwise return an empty state."""
        if not self._path.is_file():
            return State()
        try:
            content = torch.load(self._path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            _log.warning("%s: cannot be read (%s): the training starts over", self._path, error)
            return State()
        if content["identity"] != self._identity:
            _log.warning("%s: belongs to other settings, code or inputs: the training starts over", self._path)
            return State()
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        epochs = [Epoch(**row) for row in content["epochs"]]
        _log.info("resuming after epoch %d", len(epochs))
        return State(epochs, content["losses"].cpu(), content["best"])

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
