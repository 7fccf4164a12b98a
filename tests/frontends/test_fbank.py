"""The Kaldi filter bank: fixed length, floor and invariances."""

import math

import pytest
import torch
from helpers.refusals import refused

from asdlib.frontends.fbank import Fbank


def noise(samples: int = 16000) -> torch.Tensor:
    return 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(1))


def test_ten_seconds_are_998_frames_and_fill_1024_rows() -> None:
    frontend = Fbank(rows=1024, mean=-4.268, std=4.569)
    assert frontend.frames(160000) == 998
    assert frontend.shape(160000) == (1024, 128)
    log_mel = frontend(noise(160000))
    assert log_mel.shape == (2, 1024, 128)
    filled = torch.full((2, 26, 128), 4.268 / (2 * 4.569))  # 0 before the normalisation
    torch.testing.assert_close(log_mel[:, 998:], filled)


def test_what_is_longer_is_cut() -> None:
    whole, cut = Fbank(), Fbank(rows=20)
    assert cut.frames(16000) == 20
    torch.testing.assert_close(cut(noise()), whole(noise())[:, :20])


def test_only_whole_frames_count() -> None:
    assert [Fbank().frames(samples) for samples in (0, 399, 400, 559, 560)] == [0, 0, 1, 1, 2]


def test_an_offset_of_the_waveform_is_no_sound() -> None:
    """The mean of the clip or of each frame is subtracted; the outputs differ only by rounding."""
    for remove_mean in (True, False):
        frontend = Fbank(remove_mean=remove_mean)
        torch.testing.assert_close(frontend(noise() + 0.2), frontend(noise()), rtol=0, atol=1e-3)


def test_scale_is_a_factor_on_the_waveform() -> None:
    raw = {"mean": 0.0, "std": 0.5}
    louder = Fbank(scale=32768.0, **raw)(noise()) - Fbank(**raw)(noise())
    audible = Fbank(**raw)(noise()) > -10
    torch.testing.assert_close(
        louder[audible], torch.full_like(louder[audible], 2 * math.log(32768)), rtol=0, atol=1e-3
    )


def test_silence_lies_at_the_floor() -> None:
    silent = Fbank(mean=0.0, std=0.5)(torch.zeros(1, 4000))
    assert silent.unique().tolist() == pytest.approx([-15.9424], abs=1e-4)


def test_an_unknown_window_is_refused() -> None:
    refused(lambda: Fbank(window="hann"), "frontend fbank: window 'hann' is unknown: choose one of hanning, povey")
