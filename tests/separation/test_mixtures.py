"""Tests of mixtures: sums of their sources, within the recipe's ranges, determined by seed, epoch and index."""

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.separation.mixtures import MixturePairs, Mixtures
from asdlib.separation.settings import Pairs

RATE = 1000
PAIRS = Pairs(segment=0.2, per_epoch=50, validation=0.25, validation_mixtures=12)


def recordings(count: int, level: int, seed: int, length: int = 700) -> list[np.ndarray]:
    """Return noise-like recordings; the last three bits of every sample are the recording's number."""
    rng = np.random.default_rng(seed)
    drawn = [np.rint(rng.uniform(-level, level, length)).astype(np.int16) for _ in range(count)]
    return [samples // 8 * 8 + number for number, samples in enumerate(drawn)]


def examples(pairs: Pairs = PAIRS, seed: int = 5) -> MixturePairs:
    return MixturePairs(recordings(8, 6000, 1), recordings(8, 300, 2), pairs, RATE, seed)


def everything(drawn) -> Mixtures:
    return drawn.batch(torch.arange(len(drawn)))


def same(one: Mixtures, other: Mixtures) -> bool:
    return torch.equal(one.mixture, other.mixture) and torch.equal(one.sources, other.sources)


def snr(sources: Tensor) -> Tensor:
    power = sources.square().mean(-1)
    return 10 * torch.log10(power[:, 0] / power[:, 1])


def test_a_mixture_is_the_sum_of_its_sources_and_within_the_ranges() -> None:
    pairs = Pairs(segment=0.2, snr=[-5, 10], gain=5, per_epoch=400)
    drawn = everything(examples(pairs))
    assert drawn.mixture.shape == (400, 200)
    assert drawn.sources.shape == (400, 2, 200)
    assert drawn.mixture.dtype == drawn.sources.dtype == torch.float32
    torch.testing.assert_close(drawn.sources.sum(1), drawn.mixture)
    found = snr(drawn.sources)
    assert -5.01 <= found.min() < -4.5
    assert 9.5 < found.max() <= 10.01
    assert found.mean() == pytest.approx(2.5, abs=0.7)
    level = drawn.sources[:, 0].square().mean(1).sqrt() / (6000 / 3**0.5 / 32768)
    assert 0.5 < level.min() < 0.62  # -5 dB is 0.56
    assert 1.6 < level.max() < 2.0  # 5 dB is 1.78


def test_machine_sounds_come_in_either_polarity_and_from_any_place() -> None:
    ramp = [np.arange(100, 1000, dtype=np.int16) for _ in range(4)]
    drawn = everything(MixturePairs(ramp, recordings(4, 300, 2), Pairs(segment=0.1, per_epoch=300), RATE, 0))
    machine = drawn.sources[:, 0]
    assert 0.4 < (machine.mean(1) > 0).float().mean() < 0.6
    falls = (machine.abs().diff(dim=1) < 0).any(1)  # where the recording wraps around
    assert 0.05 < falls.float().mean() < 0.2  # 100 of 900 starts


def test_a_loud_mixture_is_scaled_down_with_its_sources() -> None:
    loud = [np.full(700, 32000, np.int16) for _ in range(4)]
    drawn = everything(MixturePairs(loud, recordings(4, 32000, 2), PAIRS, RATE, 0))
    assert drawn.mixture.abs().max() <= 0.9901
    torch.testing.assert_close(drawn.sources.sum(1), drawn.mixture)
    assert snr(drawn.sources).min() >= -5.01


def test_a_mixture_depends_on_seed_epoch_and_index_alone() -> None:
    first, again = examples(), examples()
    whole = everything(first)
    alone = again.batch(torch.tensor([7, 3]))
    assert torch.equal(alone.mixture, whole.mixture[[7, 3]])
    again.begin_epoch(1)
    assert not same(everything(again), whole)
    again.begin_epoch(0)
    assert same(everything(again), whole)
    assert not same(everything(examples(seed=6)), whole)


def test_held_out_mixtures_stay_and_share_no_recording_with_the_others() -> None:
    given = examples()
    assert (len(given), len(given.validation)) == (50, 12)
    before = everything(given.validation)
    given.begin_epoch(3)
    assert same(everything(given.validation), before)
    for kind in ("machine", "noise"):
        training, held_out = (
            {int(samples[0] % 8) for samples in getattr(part, kind)} for part in (given, given.validation)
        )
        assert len(held_out) == 2
        assert sorted([*training, *held_out]) == list(range(8))


def test_held_out_mixtures_are_drawn_apart_from_the_first_epochs() -> None:
    given = examples()
    count = len(given.validation)
    assert not torch.isclose(snr(everything(given).sources[:count]), snr(everything(given.validation).sources)).any()


def test_noise_has_no_seam_unless_it_is_shorter_than_a_mixture() -> None:
    ramps = [np.arange(100, 1000, dtype=np.int16) for _ in range(4)]
    machine = recordings(4, 6000, 1)
    long = everything(MixturePairs(machine, ramps, Pairs(segment=0.5, per_epoch=100), RATE, 0))
    assert (long.sources[:, 1].diff(dim=1) > 0).all()
    short = everything(MixturePairs(machine, ramps, Pairs(segment=1.5, per_epoch=10), RATE, 0))
    assert ((short.sources[:, 1].diff(dim=1) < 0).sum(1) >= 1).all()


def test_at_least_one_recording_of_either_is_held_out() -> None:
    given = MixturePairs(recordings(2, 6000, 1), recordings(3, 300, 2), Pairs(segment=0.2, validation=0.0), RATE, 0)
    assert [len(part) for part in (given.machine, given.validation.machine)] == [1, 1]
    assert [len(part) for part in (given.noise, given.validation.noise)] == [2, 1]


def test_silent_parts_are_never_a_target() -> None:
    """A valve's recording is a click in silence."""
    valves = [np.zeros(5000, np.int16) for _ in range(3)]
    for number, valve in enumerate(valves):
        valve[1000 * number : 1000 * number + 20] = 9000
    drawn = everything(MixturePairs(valves, recordings(3, 300, 2), Pairs(segment=0.05, per_epoch=60), RATE, 0))
    assert drawn.sources[:, 0].square().mean(1).sqrt().min() > 1e-3 * 10 ** (-5 / 20)


def test_silent_recordings_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    machine = [*recordings(4, 6000, 1), np.zeros(700, np.int16)]
    with caplog.at_level(logging.WARNING):
        given = MixturePairs(machine, recordings(3, 300, 2), PAIRS, RATE, 0)
    (said,) = caplog.messages  # and nothing about the noise
    assert said == "1 of 5 machine recordings are silent: left out"
    assert all(samples.any() for samples in [*given.machine, *given.validation.machine])


@pytest.mark.parametrize(
    ("machine", "noise", "message"),
    [
        (recordings(4, 20, 1), recordings(4, 300, 2), r"all 4 machine recordings.*lower pairs.minimum_rms"),
        (recordings(4, 6000, 1), [np.zeros(700, np.int16)] * 4, r"all 4 noise recordings.*replace"),
        (recordings(1, 6000, 1), recordings(4, 300, 2), r"1 machine recording.*at least 2"),
        (recordings(4, 6000, 1), [], r"0 noise recording.*at least 2"),
    ],
)
def test_what_cannot_be_mixed_is_refused(machine: list, noise: list, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        MixturePairs(machine, noise, PAIRS, RATE, 0)
