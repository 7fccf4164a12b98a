"""Random generators that depend on a seed and a purpose, not on earlier draws."""

import random
from typing import Any

import numpy as np
import torch


def mix(seed: int, purpose: str) -> int:
    """Return a seed for one purpose, determined by `seed` and `purpose`."""
    return int(np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator for one purpose."""
    return torch.Generator().manual_seed(mix(seed, purpose))


def seed_everything(seed: int, epoch: int, process: int = 0) -> None:
    """Seed all global generators from seed, epoch and process, so that a resumed epoch draws the same numbers."""
    mixed = mix(seed, f"draws {epoch} of process {process}" if process else f"draws {epoch}")
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 (libraries use the global generator)
    torch.manual_seed(mixed)


def generator_states(device: torch.device) -> dict[str, Any]:
    """Return the states of all global generators, and of that of a GPU, as tensors, numbers and text."""
    name, words, *others = np.random.get_state()  # noqa: NPY002 (libraries use the global generator)
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {
        "python": random.getstate(), "numpy": (name, words.tolist(), *others), "torch": torch.get_rng_state(),
        "cuda": cuda,
    }  # fmt: skip


def set_generator_states(states: dict[str, Any], device: torch.device) -> None:
    """Set all global generators to states that `generator_states` returned, so that they draw the same numbers."""
    name, words, *others = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state((name, np.array(words, dtype=np.uint32), *others))  # noqa: NPY002 (as above)
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
