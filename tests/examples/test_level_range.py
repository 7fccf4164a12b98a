"""Tests of scaling levels to [0, 1] by the percentiles of the real frames, without the padding."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from asdlib.examples.clips import Clips
from asdlib.examples.level_range import LEAST_VARIANCE, level_counts, level_range, scaled, scaled_variance


def clips(features: torch.Tensor, frames: list[int]) -> Clips:
    return Clips(pa.table({"frames": pa.array(frames, pa.int32())}), features)


def levels(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 12 - 40


def test_the_range_is_that_of_the_percentiles() -> None:
    given = clips(levels(6, 500, 64), [500] * 6)
    expected = np.quantile(given.features[[0, 2, 5]].numpy(), [0.001, 0.999])
    low, high = level_range(level_counts(given, [0, 2, 5]))
    assert expected[0] - 0.1 <= low <= expected[0]  # the outer edges of the bins in which they lie
    assert expected[1] <= high <= expected[1] + 0.1


def test_padding_does_not_set_the_range() -> None:
    features = levels(2, 50, 16)
    padded = torch.cat([features, torch.full((2, 30, 16), -156.5)], dim=1)
    assert torch.equal(*(level_counts(clips(given, [50, 50]), [0, 1]) for given in (padded, features)))


def test_features_stored_in_half_precision_have_the_same_range() -> None:
    features = levels(2, 50, 16)
    single, half = (level_range(level_counts(clips(given, [50, 50]), [0, 1])) for given in (features, features.half()))
    assert half == pytest.approx(single, abs=0.11)


def test_a_constant_level_is_no_division_by_zero() -> None:
    counts = level_counts(clips(torch.full((1, 5, 4), -30.0), [5]), [0])
    low, high = level_range(counts)
    assert low == pytest.approx(-30, abs=0.11)
    assert high - low == pytest.approx(1, abs=0.01)
    assert scaled_variance(counts, [low, high]) == LEAST_VARIANCE


def test_the_variance_is_that_of_the_scaled_levels() -> None:
    given = clips(levels(6, 500, 64), [500, 400] * 3)
    counts = level_counts(given, [0, 1])
    limits = level_range(counts)
    found = scaled(given.features[:2], given.frames[:2], torch.tensor([limits, limits]), 500)
    expected = torch.cat([found[0], found[1, :400]]).var(unbiased=False)
    assert scaled_variance(counts, limits) == pytest.approx(float(expected), rel=1e-3)


def test_levels_become_0_to_1_each_clip_in_its_own_range() -> None:
    features = torch.tensor([[[-80.0, -60.0, -20.0, 0.0]], [[-80.0, -60.0, -20.0, 0.0]]])
    ranges = torch.tensor([[-60.0, -20.0], [-80.0, 0.0]])
    found = scaled(features, torch.tensor([1, 1]), ranges, 1)
    torch.testing.assert_close(found, torch.tensor([[[0.0, 0.0, 1.0, 1.0]], [[0.0, 0.25, 0.75, 1.0]]]))


def test_padding_and_what_is_missing_are_silence() -> None:
    features = levels(1, 6, 4)
    ranges = torch.tensor([[-80.0, 0.0]])
    found = scaled(features, torch.tensor([4]), ranges, 8)
    assert found.shape == (1, 8, 4)
    assert not found[:, 4:].any()
    torch.testing.assert_close(found[:, :4], ((features[:, :4] + 80) / 80).clamp(0, 1))
