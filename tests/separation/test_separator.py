"""Tests of the measurement on held-out mixtures that decides whether a separator's estimates are used."""

import logging

import pytest
import torch
from helpers.refusals import refused
from torch import Tensor

from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import AFTER, BEFORE, Separator, worse_than_mixtures


class Subtracts(Separator):
    """A separator that knows a share of the noise."""

    def __init__(self, share: float, noise: Tensor):
        super().__init__()
        self.share, self.noise = share, noise

    def separate(self, mixture: Tensor) -> Tensor:
        return mixture - self.share * self.noise


def measured(share: float) -> dict[str, Tensor]:
    sources = torch.randn(6, 2, 500, generator=torch.Generator().manual_seed(1)) * torch.tensor([[2.0], [1.0]])
    separator = Subtracts(share, sources[:3, 1])
    held_out = [Mixtures(part.sum(1), part) for part in (sources[:3], sources[:3])]
    return separator.finish([], held_out, torch.zeros(1))


def test_a_separator_is_measured_on_every_held_out_mixture(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = measured(0.5)
    assert found[BEFORE].shape == found[AFTER].shape == (6,)
    assert found[BEFORE].mean() == pytest.approx(6, abs=0.5)  # the machine has twice the noise's amplitude
    assert (found[AFTER] - found[BEFORE]).mean() == pytest.approx(6, abs=0.5)  # half of the noise is gone
    assert worse_than_mixtures(found) is None
    assert [record.levelname for record in caplog.records] == ["INFO"]
    before, after = (found[name].mean() for name in (BEFORE, AFTER))
    assert f"held-out mixtures is {before:.1f} dB, separated {after:.1f} dB" in caplog.text


def test_more_noise_is_worse_and_rounding_is_not(caplog: pytest.LogCaptureFixture) -> None:
    assert worse_than_mixtures(measured(0.0)) is None
    assert worse_than_mixtures(measured(-6e-4)) is None  # 20 lg 1.0006 = 0.005 dB
    assert worse_than_mixtures(measured(-1.5e-3))  # 0.013 dB
    caplog.clear()
    found = measured(-1.0)
    before, after = (found[name].mean() for name in (BEFORE, AFTER))
    expected = f"the SI-SDR of 6 held-out mixtures falls from {before:.1f} to {after:.1f} dB by separation"
    assert worse_than_mixtures(found) == expected
    assert "its clips will pass unchanged: train longer" in caplog.text


def test_a_separator_that_was_not_measured_is_refused() -> None:
    refused(lambda: worse_than_mixtures({}), "separators: no SI-SDR of held-out mixtures: .*")
