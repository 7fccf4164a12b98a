"""The training loop, on Lightning Fabric.

All randomness depends only on the seed, the epoch and the process, and the state is stored after every epoch, within
long ones, and when a signal ends the training. A killed training resumes at the step that was stored and ends with the
same weights as an uninterrupted one: on a CPU to the last bit, on a GPU up to the varying order of sums.
"""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from asdlib.examples.seeding import seed_everything
from asdlib.runtime.cleanup import die_with_first
from asdlib.runtime.job_environment import begin_ranks
from asdlib.training import batch_norm
from asdlib.training.arithmetic import EXACT, computing, shown
from asdlib.training.batches import Batches, Examples, held_out_examples, shuffled
from asdlib.training.cuda_graphs import can_record
from asdlib.training.epoch_so_far import EpochSoFar
from asdlib.training.fabric import Autocast, DDPStrategy, Fabric, LightningEnvironment, gathered, refuse_devices
from asdlib.training.feed import keep_on_device
from asdlib.training.gradients import Gradients
from asdlib.training.history import Epoch, show
from asdlib.training.interruption import Interruption
from asdlib.training.micro_batches import AUTO, largest_part, refuse_indivisible, same_part
from asdlib.training.optimisation import (
    best_epoch,
    build_optimizer,
    learning_rate,
    refuse_diverged,
    refuse_unknown,
    refuse_unwatched,
    set_learning_rate,
    stopped,
)
from asdlib.training.settings import Training
from asdlib.training.state import State, StoredState
from asdlib.training.terms import warn_of_idle_terms
from asdlib.training.watching import agreed_loss

_log = logging.getLogger(__name__)


class Trainer:
    """Trains one network.

    `store` is the file of an unfinished training's state, written every `store_every` minutes within an epoch as well.
    A stored state with another `identity`, which stands for the settings, code and inputs, is not used (`StoredState`).
    """

    def __init__(
        self,
        settings: Training,
        seed: int,
        device: torch.device,
        store: Path,
        identity: str,
        store_every: float | None = None,
    ):
        self.settings = settings
        self.seed = seed
        self._stored = StoredState(store, identity, store_every)
        self._interruption = Interruption()
        self._part = settings.micro_batch  # the most examples that are computed at a time; None: whole batches
        self._replays_graphs = False
        bf16 = settings.precision == "bf16" and device.type == "cuda"
        refuse_devices(settings, device)
        begin_ranks()
        self.fabric = Fabric(
            accelerator=device.type,
            devices=settings.devices,
            # some losses do not use all parameters of the network
            strategy="auto" if settings.devices == 1 else DDPStrategy(find_unused_parameters=True),
            # the job starts its own processes, whatever a scheduler's environment variables say
            plugins=[LightningEnvironment(), *([Autocast(device.type)] if bf16 else [])],
        )
        _log.info("computing on %s in %s", self.fabric.device, shown(settings.precision, self.fabric.device))

    def launch(self) -> bool:
        """Start the other processes of a training on several devices; return whether this is the first process.

        Each process runs the job's command from its start and calls this method too. Only the first one writes.
        """
        die_with_first()
        self.fabric.launch()
        return self.fabric.is_global_zero

    def train(self, network: nn.Module, examples: Examples, clips: int) -> tuple[dict[str, Tensor], list[Epoch]]:
        """Train a network in place; return the result of `network.finish` (calibration samples) and the epochs.

        `clips` is the number of clips, for the displayed speed. Raises AsdError if the loss is not finite.
        """
        chosen, validation = self._parts(examples)
        refuse_unwatched(self.settings, validation)
        refuse_indivisible(self.settings, network)
        keep_on_device(examples, self.fabric.device)
        if self.settings.micro_batch == AUTO:
            self._part = largest_part(self.fabric, network, self._begin(network, examples, chosen, 0))
        optimizer = build_optimizer(network, self.settings)
        model, optimizer = self.fabric.setup(network, optimizer)
        for method in ("loss", "terms", "metrics"):
            if hasattr(network, method):
                model.mark_forward_method(method)
        state = self._stored.resume(model, optimizer, self.fabric.broadcast)
        if self.settings.micro_batch == AUTO:
            self._part = state.part = same_part(self._part, state.part)
        self._replays_graphs = can_record(network, self.settings, self.fabric.device, self._part)
        with self._interruption:
            self._epochs(model, optimizer, examples, chosen, validation, state, clips / len(chosen))
        if state.best is not None:
            network.load_state_dict(state.best)
            state.losses = state.best_losses
            _log.info(
                "keeping the weights of epoch %d, which has the lowest validation loss", best_epoch(state.watched) + 1
            )
        network.eval()
        if not self.fabric.is_global_zero:
            return {}, state.epochs
        warn_of_idle_terms([epoch.terms for epoch in state.epochs])
        final = self._begin(network, examples, chosen, len(state.epochs) - 1)
        if getattr(
            network, "finishes_with_each_once", False
        ):  # an epoch of some steps has examples twice, or not at all
            final = self._batches(examples, chosen)
        return self._finish(network, final, validation, state), state.epochs

    def _epochs(
        self, model: Any, optimizer: Optimizer, examples: Examples, chosen: Tensor, validation: Batches, state: State,
        clips: float,
    ) -> None:  # fmt: skip
        """Train until the last epoch; `clips` is the number of clips per example."""
        while len(state.epochs) < self.settings.epochs and not stopped(self.settings, state.watched):
            batches = self._begin(model.module, examples, chosen, len(state.epochs))
            state.epochs.append(self._epoch(model, optimizer, batches, validation, state, clips))
            if self.settings.early_stop and best_epoch(state.watched) == len(state.epochs) - 1:
                state.best = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
                state.best_losses = state.losses
            if self.fabric.is_global_zero:
                show(state.epochs, self.settings.epochs)
                self._stored.keep(model, optimizer, state)
            if self._interruption.agree(self.fabric, due=False)[0]:
                self._interruption.end(self.fabric)

    def _finish(self, network: nn.Module, training: Batches, validation: Batches, state: State) -> dict[str, Tensor]:
        """Settle the batch norms, then return what the network computes after its training."""
        seed_everything(self.seed, len(state.epochs))
        with self.fabric.autocast():
            batch_norm.settle(network, training)
        if not hasattr(network, "finish"):
            return {}
        seed_everything(self.seed, len(state.epochs))
        with computing(EXACT, self.fabric.device):  # what it returns is compared with embeddings
            return network.finish(training, validation, state.losses.to(self.fabric.device))

    def done(self) -> None:
        """Remove the stored state, once the result has been written."""
        self._stored.remove()

    def _parts(self, examples: Examples) -> tuple[Tensor, Batches]:
        """Return the indices of the training examples, and the validation batches."""
        if hasattr(examples, "validation"):
            held_out = examples.validation
            return torch.arange(len(examples)), self._batches(held_out, torch.arange(len(held_out)))
        chosen, watched = held_out_examples(examples, self.settings, self.seed)
        return chosen, self._batches(examples, watched)

    def _begin(self, network: nn.Module, examples: Examples, chosen: Tensor, epoch: int) -> Batches:
        """Notify the network and the examples of a new epoch, if they want to know, and return its batches."""
        if hasattr(examples, "begin_epoch"):
            examples.begin_epoch(epoch)
        if hasattr(network, "begin_epoch"):
            network.begin_epoch(epoch, self.settings.epochs)
        steps = self.settings.steps_per_epoch
        count = steps and steps * self.settings.accumulate * self.settings.batch_size
        return self._batches(examples, shuffled(chosen, epoch, self.seed, count))

    def _batches(self, examples: Examples, order: Tensor) -> Batches:
        return Batches(examples, order, self.settings.batch_size, self.fabric.device)

    def _epoch(
        self, model: Any, optimizer: Optimizer, batches: Batches, validation: Batches, state: State, clips: float
    ) -> Epoch:
        """Train on all batches once, then compute the validation loss; `clips` is the number of clips per example."""
        epoch = len(state.epochs)
        seed_everything(self.seed, epoch, self.fabric.global_rank)
        steps = -(-len(batches) // self.settings.accumulate)
        total = steps * self.settings.epochs
        so_far = EpochSoFar(len(batches), steps, self.fabric.device)
        model.train()
        if state.under_way:
            so_far.restore(state.under_way[self.fabric.global_rank], model.module)
            state.under_way = None
        gradients = Gradients(self.fabric, model, self._part, self._replays_graphs, len(batches) - so_far.done)
        own = batches.parts(self.fabric.global_rank, self.fabric.world_size, so_far.done)
        for index, (batch, weight) in enumerate(own, so_far.done):
            step, number = divmod(index, self.settings.accumulate)
            if number == 0:
                rate = learning_rate(self.settings, epoch * steps + step, total, state.watched)
                set_learning_rate(optimizer, rate)
                optimizer.zero_grad(set_to_none=True)
                count = min(self.settings.accumulate, len(batches) - index)
            last = number == count - 1
            so_far.add(gradients.add(batch, weight, count, last, so_far.log))
            if last:
                so_far.norms[step] = self._step(model, optimizer, epoch * steps + step, total)
                self._between_steps(model, optimizer, state, so_far)
        del gradients  # a graph keeps the memory of a step
        state.losses = self.fabric.all_reduce(so_far.losses, reduce_op="mean").cpu()
        mean = float(state.losses.mean())
        refuse_diverged(mean, so_far.norms, model.module.parameters(), epoch)
        seconds = so_far.seconds
        watched, metrics = agreed_loss(self.fabric, model, validation)
        refuse_unknown(self.settings, watched, epoch)
        if hasattr(network := model.module, "epoch_metrics"):
            metrics |= network.epoch_metrics()
        speed = round(clips * batches.examples / seconds, 1)
        rate = learning_rate(self.settings, (epoch + 1) * steps - 1, total, state.watched)
        return Epoch(epoch + 1, mean, watched, rate, speed, round(seconds, 3), so_far.log.columns(self.fabric), metrics)

    def _between_steps(self, model: Any, optimizer: Optimizer, state: State, so_far: EpochSoFar) -> None:
        """Store the state within the epoch when it is time to; after a signal, store it and end the process."""
        end, due = self._interruption.agree(self.fabric, self._stored.is_due())
        if not (end or due):
            return
        state.under_way = gathered(self.fabric, so_far.content(model.module))
        if self.fabric.is_global_zero:
            self._stored.keep(model, optimizer, state)
        state.under_way = None
        if end:
            self._interruption.end(self.fabric)

    def _step(self, model: Any, optimizer: Optimizer, step: int, steps: int) -> Tensor | float:
        """Take a step; return the norm of the gradient, 0 if it is not clipped.

        The norm is not looked at here, because the host would wait for the device in every step.
        """
        most, norm = self.settings.clip_norm, 0.0
        if most is not None:
            norm = self.fabric.clip_gradients(model, optimizer, max_norm=most, error_if_nonfinite=False)
        optimizer.step()
        if hasattr(model.module, "after_step"):
            model.module.after_step(step, steps)
        return norm
