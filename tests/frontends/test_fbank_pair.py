"""The pair of log-mels: the same as the outputs of the two networks' filter banks."""

import torch

from asdlib.frontends.fbank import Fbank
from asdlib.frontends.fbank_pair import FbankPair


def test_the_pair_is_both_filter_banks_before_their_normalisation() -> None:
    waveforms = torch.randn(2, 4000, generator=torch.Generator().manual_seed(1)) / 10
    pair = FbankPair()
    both = pair(waveforms)
    assert both.shape == (2, *pair.shape(4000)) == (2, pair.frames(4000), 2, 128)
    beats = Fbank("povey", scale=32768.0, remove_mean=False, mean=15.41663, std=6.55582)(waveforms)
    audiomae = Fbank(mean=-4.2677393, std=4.5689974)(waveforms)
    torch.testing.assert_close((both[:, :, 0] - 15.41663) / (2 * 6.55582), beats)
    torch.testing.assert_close((both[:, :, 1] + 4.2677393) / (2 * 4.5689974), audiomae)


def test_the_two_differ_in_more_than_level() -> None:
    """Normalisation does not turn one into the other, because their windows differ."""
    waveforms = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1)) / 10
    difference = FbankPair()(waveforms).diff(dim=2)[..., 20:]
    assert difference.std() > 0.01
