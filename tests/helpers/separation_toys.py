"""Toy separators of every kind, and a toy machine and background noise that even a tiny one can learn to separate.

A kind without an entry in TOYS is as large as its first recipe in config/systems, or as its constructor's defaults.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.registry_toys import recipe_arguments
from torch import nn

from asdlib.separation.estimates import si_sdr
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.separator import AFTER, BEFORE
from asdlib.separation.settings import Pairs
from asdlib.separators import SEPARATORS
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer

RATE = 8000
# Toy arguments by kind: of separators that are slow at full size.
TOYS = {
    "conv_tasnet": {
        "n_filters": 16, "bn_chan": 8, "hid_chan": 16, "skip_chan": 8, "n_blocks": 2, "n_repeats": 1, "window": 0.05,
    },
    "sepreformer": {
        "channels": 16, "stages": 2, "encoder_channels": 16, "heads": 2, "local_kernel": 5, "positions": 20,
        "stft_frame": 8.0, "stft_hop": 2.0, "window": 0.05,
    },
    "tfgridnet": {
        "n_fft": 128, "hop": 64, "blocks": 1, "channels": 8, "lstm_hidden": 8, "heads": 2, "attention_size": 65,
        "window": 0.05,
    },
}  # fmt: skip


def toy_separator(kind: str) -> nn.Module:
    """Return a toy separator."""
    made, table = SEPARATORS[kind], "tests/helpers/separation_toys.py"
    found = TOYS[kind] if kind in TOYS else recipe_arguments("separators", kind, made, table)
    torch.manual_seed(0)
    return made(**found)


def hum(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Return a machine's sound: a hum of a few harmonics, at another speed in each clip."""
    time = np.arange(round(seconds * RATE)) / RATE
    speed = rng.uniform(95, 105)
    partials = [np.sin(2 * np.pi * speed * n * time + rng.uniform(0, 2 * np.pi)) / n for n in (1, 2, 3, 5)]
    return _int16(0.1 * np.sum(partials, axis=0))


def hiss(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Return background noise: white noise with slow amplitude modulation."""
    time = np.arange(round(seconds * RATE)) / RATE
    swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time)
    return _int16(0.05 * swell * rng.standard_normal(len(time)))


def check_that_it_learns(network: nn.Module, settings: Training, folder: Path, improvement: float) -> None:
    """Train on mixtures of hum and hiss, and check that the SI-SDR of held-out mixtures improves by `improvement` dB.

    The recordings of the held-out mixtures are not used for training. `separate` must reach the SI-SDR that is stored
    with the weights. The last epoch's is logged before the statistics of batch norm are final.
    """
    rng = np.random.default_rng(0)
    pairs = Pairs(segment=0.25, per_epoch=64, validation=0.2, validation_mixtures=32)
    examples = MixturePairs([hum(rng, 1.0) for _ in range(20)], [hiss(rng, 1.0) for _ in range(20)], pairs, RATE, 1)
    trainer = Trainer(settings, 1, torch.device("cpu"), folder / "training.ckpt", "toy")
    stored, epochs = trainer.train(network, examples, 20)
    assert epochs[-1].metrics["si_sdr_improvement"] > improvement  # the mixtures' mean SNR is 2.5 dB
    assert (stored[AFTER] - stored[BEFORE]).mean() > improvement
    held_out = examples.validation.batch(torch.arange(32))
    machine = held_out.sources[:, 0]
    with torch.no_grad():
        separated = network.separate(held_out.mixture)
    assert si_sdr(separated, machine).mean() == pytest.approx(float(stored[AFTER].mean()), abs=0.01)
    level = separated.square().mean(1) / machine.square().mean(1)
    assert ((level > 0.5) & (level < 2)).all()  # within 3 dB of the machine's level in the mixture


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16)
