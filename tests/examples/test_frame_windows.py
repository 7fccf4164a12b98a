"""Tests of windows: their starts, their frames, and random windows drawn anew every epoch."""

import pytest
import torch
from helpers.model_clips import clips

from asdlib.examples.frame_windows import RandomWindows, window_frames, window_starts


@pytest.mark.parametrize(
    ("frames", "starts"),
    [
        (313, [0, 32, 64, 96, 128, 160, 192, 224, 249]),  # 10 s: eight windows, and one that ends the clip
        (96, [0, 32]),
        (64, [0]),
        (65, [0, 1]),
        (95, [0, 31]),
        (10, [0]),
    ],
)
def test_windows_cover_the_clip_and_the_last_ends_with_it(frames: int, starts: list[int]) -> None:
    assert window_starts(frames, 64, 32).tolist() == starts


def test_a_window_longer_than_the_clip_goes_round_in_its_real_frames() -> None:
    assert window_frames(torch.tensor([0]), 3, 8).tolist() == [[0, 1, 2, 0, 1, 2, 0, 1]]
    assert window_frames(torch.tensor([0, 2]), torch.tensor([3, 9]), 4).tolist() == [[0, 1, 2, 0], [2, 3, 4, 5]]


def examples(labels: torch.Tensor | None = None, seed: int = 0) -> RandomWindows:
    """Return windows of three clips whose values encode clip and frame; padding is NaN."""
    features = (100 * torch.arange(3)[:, None] + torch.arange(30))[..., None].repeat(1, 1, 2).float()
    features[1, 17:] = torch.nan
    features[2, 3:] = torch.nan
    torch.manual_seed(seed)
    return RandomWindows(clips(features, [30, 17, 3], ["source", "source", "target"]), 8, labels)


def test_a_clip_gives_as_many_windows_as_cover_it() -> None:
    given = examples(torch.tensor([5, 6, 7]))
    batch = given.batch(torch.arange(len(given)))
    assert batch.labels.tolist() == [5] * 4 + [6] * 3 + [7]
    assert batch.target.tolist() == [False] * 7 + [True]
    assert batch.features.shape == (8, 8, 2)


def test_windows_are_consecutive_real_frames() -> None:
    given = examples()
    for epoch in range(20):
        given.begin_epoch(epoch)
        windows = given.batch(torch.arange(len(given))).features[..., 0]
        assert torch.isfinite(windows).all()
        assert (windows[:7].diff(dim=1) == 1).all()
        assert windows[7].tolist() == [200, 201, 202] * 2 + [200, 201]


def test_an_epoch_s_windows_depend_on_the_seed_and_its_number_alone() -> None:
    resumed, whole = examples(), examples()
    for epoch in range(4):
        whole.begin_epoch(epoch)
    everything = torch.arange(len(whole))
    third = whole.batch(everything).features
    resumed.begin_epoch(3)
    assert torch.equal(resumed.batch(everything).features.nan_to_num(), third.nan_to_num())
    other = examples(seed=1)
    other.begin_epoch(3)
    assert not torch.equal(other.batch(everything).features.nan_to_num(), third.nan_to_num())
    resumed.begin_epoch(4)
    assert not torch.equal(resumed.batch(everything).features, third)


def test_every_place_is_drawn() -> None:
    given = examples()
    drawn = set()
    for epoch in range(200):
        given.begin_epoch(epoch)
        drawn |= set(given.batch(torch.arange(4)).features[:, 0, 0].int().tolist())
    assert drawn == set(range(23))
