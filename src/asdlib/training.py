"""The training loop: one, visible, on Lightning Fabric.

Everything random depends on the seed and the epoch alone, and the state is stored after every epoch. A training that
was killed goes on from its last epoch and ends with the same weights as one that was not.
"""

import csv
import logging
import math
import pickle
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.blocks.clips import Batch
from asdlib.data.files import atomic
from asdlib.errors import AsdError
from asdlib.fabric import Fabric, LightningEnvironment
from asdlib.training_settings import Training

_progress = logging.getLogger("asdlib.progress")
_log = logging.getLogger(__name__)


class Examples(Protocol):
    """What a model is trained on: clips, or pieces of them."""

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor) -> Batch:
        """Return these examples as one batch."""
        ...


@dataclass(frozen=True)
class Epoch:
    """One row of a training's log."""

    epoch: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    clips_per_second: float
    seconds: float


@dataclass
class State:
    """Where a training stands: everything that a resumed one needs."""

    epochs: list[Epoch] = field(default_factory=list)
    losses: Tensor | None = None  # of the last epoch's batches


class Batches:
    """Some examples in a fixed order, cut into batches; iterating twice gives the same batches.

    A single left-over example joins the batch before it: batch norm cannot learn from one.
    """

    def __init__(self, examples: Examples, order: Tensor, size: int, device: torch.device):
        self._examples = examples
        self._device = device
        pieces = list(order.split(size))
        if len(pieces) > 1 and len(pieces[-1]) == 1:
            pieces[-2:] = [torch.cat(pieces[-2:])]
        self._pieces = [piece for piece in pieces if len(piece)]

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[Batch]:
        for piece in self._pieces:
            yield self._examples.batch(piece).to(self._device)


class Trainer:
    """Trains one network; `store` is where the state of an unfinished training is kept.

    `identity` names the settings, code and inputs: a stored state of another identity is thrown away.
    """

    def __init__(self, settings: Training, seed: int, device: torch.device, store: Path, identity: str):
        self.settings = settings
        self.seed = seed
        self.store = Path(store)
        self.identity = identity
        bf16 = settings.precision == "bf16" and device.type == "cuda"
        self.fabric = Fabric(
            accelerator=device.type,
            devices=1,
            precision="bf16-mixed" if bf16 else "32-true",
            plugins=[LightningEnvironment()],  # a job is one process: a scheduler's variables are not its business
        )
        _log.info("computing on %s in %s", self.fabric.device, "bf16" if bf16 else "float32")

    def train(self, network: nn.Module, examples: Examples, clips: int) -> tuple[dict[str, Tensor], list[Epoch]]:
        """Train in place; return what `network.finish` gives (calibration samples) and the epochs' log.

        `clips` is the number of clips behind the examples, for the speed that is shown.
        """
        training, watched = self._split(len(examples))
        optimizer = _optimizer(network, self.settings)
        model, optimizer = self.fabric.setup(network, optimizer)
        model.mark_forward_method("loss")
        state = self._resume(model, optimizer)
        validation = self._batches(examples, watched)
        for epoch in range(len(state.epochs), self.settings.epochs):
            batches = self._batches(examples, self._order(training, epoch))
            state.epochs.append(self._epoch(epoch, model, optimizer, batches, validation, state, clips))
            self._show(state)
            self._keep(model, optimizer, state)
        network.eval()
        if not hasattr(network, "finish"):
            return {}, state.epochs
        final = self._batches(examples, self._order(training, self.settings.epochs - 1))
        return network.finish(final, validation, state.losses.to(self.fabric.device)), state.epochs

    def done(self) -> None:
        """Remove the stored state: the result is safe elsewhere."""
        self.store.unlink(missing_ok=True)

    def _epoch(
        self, epoch: int, model, optimizer, batches: Batches, validation: Batches, state: State, clips: int
    ) -> Epoch:
        """Go through all batches once, then look at the validation examples."""
        _seed_everything(self.seed, epoch)
        start = time.monotonic()
        losses = torch.zeros(len(batches), device=self.fabric.device)
        model.train()
        for step, batch in enumerate(batches):
            rate = _learning_rate(self.settings, epoch * len(batches) + step, self.settings.epochs * len(batches))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            loss = model.loss(batch)
            self.fabric.backward(loss)
            if self.settings.clip_norm is not None:
                self.fabric.clip_gradients(model, optimizer, max_norm=self.settings.clip_norm)
            optimizer.step()
            losses[step] = loss.detach()
        state.losses = losses.cpu()
        mean = float(state.losses.mean())
        if not math.isfinite(mean):
            raise AsdError(
                f"training: the loss is {mean} in epoch {epoch + 1}: lower training.learning_rate or set clip_norm"
            )
        seconds = time.monotonic() - start
        return Epoch(epoch + 1, mean, _mean_loss(model, validation), rate, round(clips / seconds, 1), round(seconds, 3))

    def _split(self, count: int) -> tuple[Tensor, Tensor]:
        """Split the examples at random into those to learn from and those to watch."""
        order = torch.randperm(count, generator=_generator(self.seed, "split"))
        held_out = round(count * self.settings.validation)
        if count - held_out < 2:
            raise AsdError(f"training: {count} examples are too few to learn from: add training clips")
        return order[held_out:], order[:held_out]

    def _order(self, training: Tensor, epoch: int) -> Tensor:
        return training[torch.randperm(len(training), generator=_generator(self.seed, f"epoch {epoch}"))]

    def _batches(self, examples: Examples, order: Tensor) -> Batches:
        return Batches(examples, order, self.settings.batch_size, self.fabric.device)

    def _show(self, state: State) -> None:
        last = state.epochs[-1]
        left = (self.settings.epochs - last.epoch) * sum(e.seconds for e in state.epochs) / len(state.epochs)
        watched = "" if last.validation_loss is None else f"  validation {last.validation_loss:.4g}"
        _progress.info(
            "epoch %d/%d  loss %.4g%s  %.0f clips/s  %s left",
            last.epoch, self.settings.epochs, last.loss, watched, last.clips_per_second, _duration(left),
        )  # fmt: skip

    def _keep(self, model, optimizer, state: State) -> None:
        content = {
            "identity": self.identity,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs": [asdict(epoch) for epoch in state.epochs],
            "losses": state.losses,
        }
        with atomic(self.store) as temporary:
            torch.save(content, temporary)

    def _resume(self, model, optimizer) -> State:
        """Load the stored state, if there is one of the same settings, code and inputs."""
        if not self.store.is_file():
            return State()
        try:
            content = torch.load(self.store, map_location=self.fabric.device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            _log.warning("%s: cannot be read (%s): training starts again", self.store, error)
            return State()
        if content["identity"] != self.identity:
            _log.warning("%s: belongs to other settings, code or inputs: training starts again", self.store)
            return State()
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        epochs = [Epoch(**row) for row in content["epochs"]]
        _log.info("resuming after epoch %d", len(epochs))
        return State(epochs, content["losses"].cpu())


def write_history(path: Path, epochs: list[Epoch]) -> None:
    """Write a training's log, one row an epoch."""
    with atomic(path) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(Epoch.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)


@torch.no_grad()
def _mean_loss(model: Any, batches: Batches) -> float | None:
    if not len(batches):
        return None
    model.eval()
    return float(torch.stack([model.loss(batch) for batch in batches]).mean())


def _optimizer(network: nn.Module, settings: Training) -> torch.optim.Optimizer:
    classes = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    if settings.optimizer not in classes:
        raise AsdError(f"training.optimizer: {settings.optimizer!r}: use one of: {', '.join(classes)}")
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # fused: one kernel instead of a loop over parameters, a third of a small network's step on CPU
    return classes[settings.optimizer](
        trainable, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def _learning_rate(settings: Training, step: int, steps: int) -> float:
    """Linear warm-up, then constant, or half a cosine down to the final rate."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule != "cosine":
        raise AsdError(f"training.schedule: {settings.schedule!r}: use constant or cosine")
    done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    span = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + span * (1 + math.cos(math.pi * done)) / 2


def _generator(seed: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(_mix(seed, purpose))


def _seed_everything(seed: int, epoch: int) -> None:
    """Seed every global generator from the seed and the epoch, so that a resumed epoch draws what it would have."""
    mixed = _mix(seed, f"draws {epoch}")
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 (libraries draw from the global generator)
    torch.manual_seed(mixed)


def _mix(seed: int, purpose: str) -> int:
    return int(np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"
