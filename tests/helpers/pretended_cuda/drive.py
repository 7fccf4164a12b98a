"""Take recipes through training and embedding on a pretended CUDA device: drive.py [<fault>:]<recipe> …

Fake tensors on `cuda:0` have no values, but PyTorch refuses to mix them with tensors on the CPU, as on a real card.
Prints a JSON line per recipe: what was refused, where the host would have waited for the device, and the memory that a
step takes at the most. A recipe has its full size, with a fault a small one. Where the host would wait for a value, or
for a shape that depends on values, PyTorch mostly refuses, for fake tensors have none: that is an error of the recipe.
"""

import contextlib
import json
import sys
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gpu_recipes
import helpers.meta_dirichlet  # noqa: F401 (a draw for fake tensors)
import torch
from gpu_recipes import DISTINCT, Case, case, embedded, recipes
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from asdlib.models import audiomae_adaptation
from asdlib.models.audiomae_adaptation import draw_rectangles
from asdlib.training.optimisation import build_optimizer

GPU = torch.device("cuda", 0)
CLIPS = 96  # as many as the largest batch of clips, or a round of DisMAE
SOURCES = "/src/asdlib/"
COPIES = {"_to_copy", "copy_"}
PINNED = "runtime/devices.py send"  # copies from pinned memory, for which the host does not wait


class Memory:
    """The bytes of the tensors that live on the device, now and at the most."""

    def __init__(self) -> None:
        self.live = self.peak = 0
        self._known: dict[int, Any] = {}

    def note(self, tensor: Tensor) -> None:
        if tensor.device.type != "cuda":
            return
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self.live += size
        self.peak = max(self.peak, self.live)
        self._known[key] = weakref.ref(storage, lambda _: self._freed(key, size))

    def _freed(self, key: int, size: int) -> None:
        del self._known[key]
        self.live -= size


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for the device, by the line of the library."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter = Counter()
        self.memory = Memory()
        self.unmasked = 0  # patches of a clip that AudioMAE's adaptation sees

    def note(self, operation: str) -> None:
        lines = [f for f in traceback.extract_stack() if SOURCES in f.filename]
        where = f"{lines[-1].filename.split(SOURCES)[1]} {lines[-1].name}" if lines else "PyTorch"
        if where != PINNED:
            self.found[f"{where}: {operation}"] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        may_wait = name == "nonzero" or name in COPIES or name.startswith("index")
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)] if may_wait else []
        if any(one.device.type == "cuda" for one in given):
            by_mask = name.startswith("index") and any(one.dtype == torch.bool for one in given[1:])
            if name == "nonzero" or by_mask:
                self.note(f"{name} with a mask" if by_mask else name)
        if name == "nonzero" and given[0].dim() == 2:  # of a mask: the number of its entries is a value
            return torch.empty(len(given[0]) * self.unmasked, 2, dtype=torch.int64, device=given[0].device)
        out = func(*args, **(kwargs or {}))
        if name in COPIES and given[-1].device != out.device:
            self.note(f"copy from {given[-1].device.type} to {out.device.type}")
        for one in (out,) if isinstance(out, Tensor) else tree_leaves(out):
            if isinstance(one, Tensor):
                self.memory.note(one)
        return out


@contextlib.contextmanager
def pretended(frames: list[int]) -> Iterator[tuple[FakeTensorMode, Waits]]:
    """Run a block with fake tensors; `frames` is what every list of lengths contains."""
    fake_tensor.init_gpu_context = lambda device: None
    torch.distributions.Distribution.set_default_validate_args(False)
    waits = Waits()

    def tolist(self: Tensor) -> list[int]:
        if self.device.type == "cuda":
            waits.note("tolist")
        return (frames * len(self))[: len(self)]

    def truth(self: Tensor) -> bool:
        if self.device.type == "cuda":
            waits.note("bool")
        return False

    FakeTensor.tolist, FakeTensor.__bool__ = tolist, truth
    Tensor.pin_memory = lambda self: self  # fake tensors have no such memory

    nn.LSTM.forward = _lstm
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode, waits


def moved(network: nn.Module, mode: FakeTensorMode) -> nn.Module:
    """Replace the tensors of a network by fake ones on the device; shared ones stay shared."""
    known: dict[int, Tensor] = {}

    def fake(given: Tensor) -> Tensor:
        if id(given) not in known:
            new = torch.empty_strided(given.shape, given.stride(), dtype=given.dtype, device=GPU)
            known[id(given)] = nn.Parameter(new, given.requires_grad) if isinstance(given, nn.Parameter) else new
        return known[id(given)]

    with mode:
        for module in network.modules():
            for tensors in (module._parameters, module._buffers):
                tensors.update({name: fake(one) for name, one in tensors.items() if one is not None})
    return network


def checked(made: Case, fault: str) -> dict[str, Any]:
    """Train one step and embed clips.

    With the fault "misplaced", a parameter stays on the CPU; with "waiting", the step waits for the device twice.
    """
    network, training = made.network.train(), made.training
    batch, clips = made.batches(1, torch.device("cpu"))[0], made.clips(2)
    if isinstance(clips, Tensor):
        clips = clips[:1, : network.window]  # one by one; where several windows begin is a value
    frames = [clips.shape[-1]] if isinstance(clips, Tensor) else [int(clips.frames[0])]
    row: dict[str, Any] = {}
    visible = 0
    if made.recipe.kind == "audiomae_adaptation":  # the sides of the rectangles are values, which fake tensors lack
        smallest = [(sides[0], sides[0]) for sides in (network.rows, network.columns)]  # it takes the most memory
        masked = draw_rectangles(training.batch_size, *smallest)
        audiomae_adaptation.draw_rectangles = lambda *_: masked
        visible = int((~masked[0]).sum())
    with pretended(frames) as (mode, waits):
        moved(network, mode)
        for one in (*network.parameters(), *network.buffers()):
            waits.memory.note(one)
        waits.unmasked = visible
        if fault == "misplaced":
            owner = next(one for one in network.modules() if one._parameters)
            name = next(iter(owner._parameters))
            owner._parameters[name] = nn.Parameter(owner._parameters[name].to("cpu"))
        optimizer = build_optimizer(network, training)
        batch, clips = batch.to(GPU), clips.to(GPU)
        with waits, torch.autocast("cuda", torch.bfloat16, enabled=training.precision == "bf16"):
            loss = network.loss(batch)
        with waits:
            if fault == "waiting":
                torch.zeros(1).to(loss.device)
                loss.reshape(1, 1).nonzero()
            loss.backward()
            optimizer.step()
            if hasattr(network, "after_step"):
                network.after_step(0, 10)
        row["training"] = dict(waits.found)
        row["GiB"] = waits.memory.peak / 2**30
        waits.found.clear()
        network.eval()
        with torch.inference_mode(), waits:
            found = embedded(made, clips)
        row["embedding"] = dict(waits.found)
        row["devices"] = sorted({str(loss.device), str(found.device)})
    return row


def _lstm(self: nn.LSTM, given: Tensor, _: None = None) -> tuple[Tensor, None]:
    """An LSTM's shapes and devices: cuDNN's has no fake version."""
    found = []
    for suffix in ("", "_reverse")[: 2 if self.bidirectional else 1]:
        weights = [getattr(self, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        gates = nn.functional.linear(given, weights[0], weights[2])
        hidden = gates.unflatten(-1, (4, -1)).tanh().sum(-2)
        found.append(hidden + 0 * (nn.functional.linear(hidden, weights[1], weights[3])).sum())
    return torch.cat(found, -1), None


def main(names: list[str]) -> None:
    # Values of weights and features do not matter, and making them takes long.
    Tensor.uniform_ = Tensor.normal_ = lambda self, *_, **__: self.zero_()
    gpu_recipes.DISTINCT = 14
    registries = {name: registry for registry, name in recipes()}
    for given in names:
        fault, _, name = given.rpartition(":")
        start = time.monotonic()
        try:
            made = case(registries[name], name, small=bool(fault), clips=DISTINCT if fault else CLIPS)
            row = checked(made, fault)
        except Exception as error:
            lines = [f for f in traceback.extract_tb(error.__traceback__) if SOURCES in f.filename]
            where = f"{Path(lines[-1].filename).name}:{lines[-1].lineno}" if lines else ""
            row = {"error": f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:300]}"}
        print(json.dumps({"name": given, "s": round(time.monotonic() - start, 1), **row}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
