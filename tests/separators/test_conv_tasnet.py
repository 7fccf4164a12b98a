"""Conv-TasNet's own properties; parity with asteroid is in tests/parity."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from asdlib.blocks.mixtures import MixturePairs
from asdlib.blocks.separation import si_sdr
from asdlib.errors import AsdError
from asdlib.separation_settings import Pairs
from asdlib.separators.conv_tasnet import ConvTasNet
from asdlib.training import Trainer
from asdlib.training_settings import Training

RATE = 8000
TINY = {"n_filters": 32, "bn_chan": 16, "hid_chan": 32, "skip_chan": 16, "n_blocks": 4, "n_repeats": 1}


def impulse_response(causal: bool) -> torch.Tensor:
    """What changes in the machine stream when one sample of noise changes, (samples,)."""
    torch.manual_seed(0)
    network = ConvTasNet(**TINY, causal=causal).eval()
    clip = torch.randn(1, 1600, generator=torch.Generator().manual_seed(2))
    changed = clip.clone()
    changed[0, 800] += 5.0
    with torch.no_grad():
        return (network(changed) - network(clip))[0, 0].abs()


def test_a_causal_network_does_not_see_the_future_and_the_other_does() -> None:
    before = 800 - 16  # a filter's samples share a frame
    assert not impulse_response(causal=True)[:before].any()
    assert impulse_response(causal=False)[:before].any()
    assert impulse_response(causal=True)[800:].any()


def test_building_it_warns_of_nothing_and_needs_nothing_that_is_gone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ConvTasNet(**TINY, causal=True)
    assert "torchmetrics" not in sys.modules  # it imports pkg_resources, which setuptools no longer has


def test_the_default_is_the_published_size() -> None:
    parameters = sum(parameter.numel() for parameter in ConvTasNet().parameters())
    assert parameters == pytest.approx(5.05e6, rel=0.005)


@pytest.mark.parametrize(("change", "message"), [({"overlap": 1.0}, "overlap"), ({"window": 0.0}, "window")])
def test_impossible_windows_are_refused(change: dict, message: str) -> None:
    with pytest.raises(AsdError, match=rf"separator: {message}: .*: give"):
        ConvTasNet(**TINY, **change)


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


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16)


def test_training_improves_the_si_sdr_of_held_out_mixtures(tmp_path: Path) -> None:
    """Neither the machine's nor the noise's recordings of the held-out mixtures are ever trained on."""
    rng = np.random.default_rng(0)
    pairs = Pairs(segment=0.25, per_epoch=64, validation=0.2, validation_mixtures=32)
    examples = MixturePairs([hum(rng, 1.0) for _ in range(20)], [hiss(rng, 1.0) for _ in range(20)], pairs, RATE, 1)
    torch.manual_seed(0)
    network = ConvTasNet(**TINY, causal=True, sample_rate=RATE)
    settings = Training(epochs=6, batch_size=8, learning_rate=3e-3, clip_norm=5.0)
    trainer = Trainer(settings, 1, torch.device("cpu"), tmp_path / "training.ckpt", "toy")
    _, epochs = trainer.train(network, examples, 20)
    assert epochs[-1].metrics["si_sdr_improvement"] > 5  # dB over the mixtures; 8 when this was written
    held_out = examples.validation.batch(torch.arange(32))
    with torch.no_grad():
        separated = network.separate(held_out.mixture)
    reached = si_sdr(separated, held_out.sources[:, 0]).mean()
    assert reached == pytest.approx(epochs[-1].metrics["si_sdr"], abs=0.01)  # what is logged is what is separated
    level = separated.square().mean(1) / held_out.sources[:, 0].square().mean(1)
    assert ((level > 0.5) & (level < 2)).all()  # brought back to the machine's level in the mixture: within 3 dB
