"""Random generators that depend on a seed and a purpose, not on earlier draws."""

import random

import numpy as np
import torch


def mix(seed: int, purpose: str) -> int:
    """Return a seed for one purpose, determined by `seed` and `purpose`."""
    return int(np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator for one purpose."""
    return torch.Generator().manual_seed(mix(seed, purpose))


def seed_everything(seed: int, epoch: int) -> None:
    """Seed all global generators from the seed and the epoch, so that a resumed epoch draws the same numbers."""
    mixed = mix(seed, f"draws {epoch}")
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 (libraries use the global generator)
    torch.manual_seed(mixed)
