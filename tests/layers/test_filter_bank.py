"""Kaldi's filter bank of a batch is that of torchaudio, and is no part of a network's weights."""

import pytest
import torch

from asdlib.layers.filter_bank import FilterBank, log_mel


@pytest.mark.parametrize(("n_mels", "rate", "samples"), [(128, 16000, 16000), (128, 16000, 400), (40, 8000, 3333)])
def test_a_batch_has_the_log_mel_of_each_waveform(n_mels: int, rate: int, samples: int) -> None:
    noise = 3000 * torch.randn(3, samples, generator=torch.Generator().manual_seed(0)) + 100
    noise[2] = 0
    found = FilterBank(n_mels, rate)(noise)
    expected = torch.stack([log_mel(one, n_mels, "povey", rate) for one in noise])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_its_constants_are_not_stored() -> None:
    assert FilterBank(128, 16000).state_dict() == {}
