"""The checks of `gpu_check.py` of trainings on a card, or a part of one, that is too small for them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from gpu_loop import in_the_loop
from gpu_recipes import case
from gpu_work import TRAINED, alone, in_memory, tables_of, train, train_and_kill

from asdlib.errors import AsdError
from asdlib.runtime.devices import choose_device
from asdlib.training.arithmetic import computing
from asdlib.training.micro_batches import fitting
from asdlib.workflow.recipe import Recipe

FREE = 1 << 30  # bytes that another program leaves on a full card
DIVIDED = "audiomae_adapted"
DIVIDED_GIB = 16.0  # of a card, less than the 24 of a whole batch
FEW_GIB = 2.0  # of a card, too little for the training


def on_a_full_card(small: bool, device: str) -> dict[str, Any]:
    """Resume a training on a card that others have filled."""
    return _without_memory(small, device, _fill)


def on_few_gib(small: bool, device: str) -> dict[str, Any]:
    """Resume a training that may use only `FEW_GIB` of the card."""
    return _without_memory(small, device, _limit)


def _without_memory(small: bool, device: str, take: Callable[[], Any]) -> dict[str, Any]:
    """Resume a training after `take` has taken the card's memory: one clear error, and the state is kept."""
    with TemporaryDirectory(dir=in_memory()) as temporary:
        folder = Path(temporary)
        recipe, tables = tables_of(TRAINED, small, folder)
        train_and_kill(recipe, tables, folder / "resumed", device)
        store = folder / "resumed" / "training.ckpt"
        before = store.read_bytes()
        found = alone(_train_without_memory, recipe, tables, folder / "resumed", device, take)
        faults = [found] if found else []
        if not store.is_file() or store.read_bytes() != before:
            faults.append("the stored state was overwritten")
    return {"faults": faults}


def divided(small: bool, device: str) -> dict[str, Any]:
    """Train with `micro_batch: auto` on a part of the card that is too small for a whole batch."""
    made = case("models", DIVIDED, small, clips=112, training={"micro_batch": "auto"})
    place = torch.device(device)
    _allow(DIVIDED_GIB)
    with computing(made.training.precision, place):
        batch, network = made.batches(1, place)[0], made.network.to(place)
        with torch.autocast(place.type, torch.bfloat16):
            found = fitting(network, batch, network.loss, place)
        loss = in_the_loop(made, place, steps=1).loss
    whole = made.training.batch_size
    faults = [] if found < whole else [f"a batch of {whole} fits into {DIVIDED_GIB:.0f} GiB"]
    if not np.isfinite(loss):
        faults.append(f"loss {loss}")
    return {"faults": faults, "examples at a time": f"{found} of {whole}"}


def _train_without_memory(
    recipe: Recipe, tables: list[Path], folder: Path, device: str, take: Callable[[], Any]
) -> str | None:
    """Return what is wrong with the error of a training after `take` has taken the card's memory."""
    choose_device(device, gpus=1)  # before CUDA is used
    taken = take()
    try:
        train(recipe, tables, folder, device)
    except AsdError as error:
        return None if "memory" in str(error) else f"another error: {error}"
    except Exception as error:
        return f"not one clear line: {type(error).__name__}: {' '.join(str(error).split())[:100]}"
    finally:
        del taken
    return "no error without memory"


def _fill() -> torch.Tensor:
    free, _ = torch.cuda.mem_get_info()
    return torch.empty(max(0, free - FREE), dtype=torch.uint8, device="cuda")


def _limit() -> None:
    _allow(FEW_GIB)


def _allow(gib: float) -> None:
    """Let this process use so much of the card's memory."""
    torch.cuda.set_per_process_memory_fraction(gib * 2**30 / torch.cuda.get_device_properties(0).total_memory)
