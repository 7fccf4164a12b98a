"""The filter bank against the Kaldi-style outputs that BEATs, AudioMAE and EAT were trained on.

The same operations in the same order; what is left is the rounding of the processor's FFT and logarithm, which in a
band 50 dB and more below the loudest of its frame is a larger share of the energy.
"""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.frontends.fbank import Fbank

FOLDER = golden("fbank")
IO = load_file(FOLDER / "io.safetensors")
CLIPS = range(sum(name.startswith("waveform_") for name in json.loads((FOLDER / "config.json").read_text())["tensors"]))
RAW = {"mean": 0.0, "std": 0.5}  # (x - 0) / (2 · 0.5)
BEATS = {"window": "povey", "scale": 32768.0, "remove_mean": False}
LOUD = 12.0  # of the natural logarithm of energy: 52 dB


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("name", "arguments"), [("beats_raw", BEATS), ("mae_eat_raw", {"window": "hanning"})])
def test_the_log_mel_is_kaldis(name: str, arguments: dict, clip: int) -> None:
    theirs = IO[f"{name}_{clip}"]
    ours = Fbank(**arguments, **RAW)(IO[f"waveform_{clip}"][None])[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)
    loud = theirs >= theirs.amax(1, keepdim=True) - LOUD
    torch.testing.assert_close(ours[loud], theirs[loud], rtol=0, atol=1e-4)
    assert (ours - theirs).abs().mean() <= 1e-5


@pytest.mark.parametrize("clip", CLIPS)
def test_the_normalised_log_mel_is_what_beats_sees(clip: int) -> None:
    ours = Fbank(**BEATS, mean=15.41663, std=6.55582)(IO[f"waveform_{clip}"][None])[0]
    torch.testing.assert_close(ours, IO[f"beats_norm_{clip}"], rtol=0, atol=1e-4)


def test_the_filters_are_kaldis() -> None:
    """A logarithm rounded the other way moves a weight by 1.1e-5."""
    torch.testing.assert_close(Fbank()._filters, IO["mel_filterbank"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("window", ["povey", "hanning"])
def test_the_windows_are_kaldis(window: str) -> None:
    torch.testing.assert_close(Fbank(window)._window, IO[f"window_{window}"], rtol=0, atol=1e-6)
