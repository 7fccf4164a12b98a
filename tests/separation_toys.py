"""A machine and a background that even a tiny separator can learn to tell apart."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.blocks.mixtures import MixturePairs, Mixtures
from asdlib.separation_settings import Pairs
from asdlib.training import Trainer
from asdlib.training_settings import Training

RATE = 8000


def hum(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A machine: a hum of a few harmonics whose speed differs between clips."""
    time = np.arange(round(seconds * RATE)) / RATE
    speed = rng.uniform(95, 105)
    partials = [np.sin(2 * np.pi * speed * n * time + rng.uniform(0, 2 * np.pi)) / n for n in (1, 2, 3, 5)]
    return _int16(0.1 * np.sum(partials, axis=0))


def hiss(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Background: white noise with a slow swell."""
    time = np.arange(round(seconds * RATE)) / RATE
    swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time)
    return _int16(0.05 * swell * rng.standard_normal(len(time)))


def train_on_toys(network: nn.Module, settings: Training, folder: Path, segment: float = 0.25) -> Mixtures:
    """Train on mixtures of hum and hiss; return others, of recordings that no training mixture has used."""
    rng = np.random.default_rng(0)
    pairs = Pairs(segment=segment, per_epoch=64, validation=0.2, validation_mixtures=32)
    examples = MixturePairs([hum(rng, 1.0) for _ in range(20)], [hiss(rng, 1.0) for _ in range(20)], pairs, RATE, 1)
    held_out = examples.validation.batch(torch.arange(32))
    Trainer(settings, 1, torch.device("cpu"), folder / "training.ckpt", "toy").train(network, examples, 20)
    network.eval()
    return held_out


def level_errors(separated: Tensor, held_out: Mixtures) -> Tensor:
    """By how many dB each separated sound (B, T) is louder than the machine in its mixture, (B,)."""
    return 10 * torch.log10(separated.square().mean(1) / held_out.sources[:, 0].square().mean(1))


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16)
