"""Parity with the Kaldi filter banks on which BEATs, AudioMAE and EAT were trained.

The reference was computed by the same code on another processor. The results differ in the rounding of the FFT and the
logarithm, mostly in bands that are 50 dB or more below the loudest band of a frame.
"""

from typing import Any

import pytest
import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens
from torch import Tensor
from torchaudio.compliance import kaldi

from asdlib.frontends.fbank import Fbank

LOUD = 12.0  # in units of the natural logarithm of energy; 52 dB
# Settings that are the same for every frontend: torchaudio's defaults.
FIXED = {"frame_length_ms": 25, "frame_shift_ms": 10, "low_freq": 20, "preemphasis": 0.97, "dither": 0.0,
         "remove_dc_offset": True, "snip_edges": True, "log_floor": torch.finfo(torch.float32).eps}  # fmt: skip


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Remove the first clip and reverse the order of the others; change mean and deviation."""
    given = {name: io.pop(name) for name in list(io) if name.rpartition("_")[2].isdigit()}
    last = max(int(name.rpartition("_")[2]) for name in given)
    config["beats"] |= {"norm_mean": 3.0, "norm_std": 2.0}
    for name, value in given.items():
        kind, _, clip = name.rpartition("_")
        if clip != "0":
            raw = given[f"beats_raw_{clip}"]
            io[f"{kind}_{last - int(clip)}"] = (raw - 3.0) / 4.0 if kind == "beats_norm" else value


case = goldens("fbank", second=second)


def frontend(case: Golden, network: str, mean: float = 0.0, std: float = 0.5) -> Fbank:
    """Return the frontend of BEATs, or of AudioMAE and EAT; by default without normalisation: (x - 0) / (2 · 0.5)."""
    common, own = case.config["beats"], case.config[network]
    assert {name: common[name] for name in FIXED} == pytest.approx(FIXED)
    assert common["high_freq"] == common["sample_rate"] / 2
    return Fbank(
        own["window"], own["scale"], own.get("subtract_waveform_mean", False), common["num_mel_bins"],
        mean=mean, std=std, sample_rate=common["sample_rate"],
    )  # fmt: skip


def clips(case: Golden, kind: str) -> list[tuple[Tensor, Tensor]]:
    """Return (waveform, stored output) of every clip."""
    return [(waveform[None], case.io[f"{kind}_{clip}"]) for clip, waveform in case.stored("waveform_").items()]


@pytest.mark.parametrize("network", ["beats", "mae_eat"])
def test_the_log_mel_is_kaldis(case: Golden, network: str) -> None:
    built = frontend(case, network)
    for waveform, theirs in clips(case, f"{network}_raw"):
        ours = built(waveform)[0]
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)
        loud = theirs >= theirs.amax(1, keepdim=True) - LOUD
        torch.testing.assert_close(ours[loud], theirs[loud], rtol=0, atol=1e-4)
        assert (ours - theirs).abs().mean() <= 1e-5


def test_the_normalised_log_mel_is_what_beats_sees(case: Golden) -> None:
    given = case.config["beats"]
    built = frontend(case, "beats", given["norm_mean"], given["norm_std"])
    for waveform, theirs in clips(case, "beats_norm"):
        torch.testing.assert_close(built(waveform)[0], theirs, rtol=0, atol=5e-4 / given["norm_std"])


def test_torchaudio_s_filters_are_kaldis(case: Golden) -> None:
    """A logarithm rounded the other way moves a weight by 1.1e-5."""
    given = case.config["beats"]
    theirs = case.io["mel_filterbank"]
    filters, _ = kaldi.get_mel_banks(
        given["num_mel_bins"], given["fft"], given["sample_rate"], given["low_freq"], given["high_freq"], 100, -500, 1
    )
    torch.testing.assert_close(filters, theirs[..., : filters.shape[1]], rtol=0, atol=2e-5)
    assert not theirs[..., filters.shape[1] :].any()


@pytest.mark.parametrize("network", ["beats", "mae_eat"])
def test_torchaudio_s_windows_are_kaldis(case: Golden, network: str) -> None:
    name = case.config[network]["window"]
    theirs = case.io[f"window_{name}"]
    window = kaldi._feature_window_function(name, len(theirs), 0.42, theirs.device, theirs.dtype)
    torch.testing.assert_close(window, theirs, rtol=0, atol=1e-6)
