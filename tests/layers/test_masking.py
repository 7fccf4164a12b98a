"""Tests of structured masks: exact counts, whole rows and columns, grids of any shape, and seeds."""

import pytest
import torch

from asdlib.errors import AsdError
from asdlib.layers.masking import keep_smallest, removed, removed_indices, removed_lines, structured_keep

GRIDS = [
    (8, 63, 0.75), (8, 63, 0.65), (8, 63, 0.15), (63, 8, 0.75), (4, 4, 0.5), (2, 6, 0.5), (1, 10, 0.3), (5, 7, 0.0)
]  # fmt: skip


def grid(keep: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Return a mask (B, rows, columns) that is True for kept patches."""
    return ~removed(keep, rows * columns).view(-1, rows, columns)


def drawn(rows: int, columns: int, ratio: float, batch: int = 50, seed: int = 3) -> torch.Tensor:
    return structured_keep(batch, rows, columns, ratio, torch.Generator().manual_seed(seed))


def test_the_removed_patches_are_those_of_the_mask_in_its_order() -> None:
    keep = drawn(8, 63, 0.75)
    expected = removed(keep, 8 * 63).nonzero()[:, 1].view(len(keep), -1)
    assert torch.equal(removed_indices(keep, 8 * 63), expected)


@pytest.mark.parametrize(
    ("ratio", "lines", "kept"), [(0.75, (4, 32), 4 * 31), (0.65, (3, 26), 5 * 37), (0.15, (1, 5), 7 * 58)]
)
def test_the_counts_of_the_audio_grid(ratio: float, lines: tuple[int, int], kept: int) -> None:
    assert removed_lines(8, 63, ratio) == lines
    assert drawn(8, 63, ratio).shape == (50, kept)


@pytest.mark.parametrize(("rows", "columns", "ratio"), GRIDS)
def test_whole_rows_and_columns_are_removed_exactly_so_many_in_every_clip(rows, columns, ratio) -> None:
    kept = grid(drawn(rows, columns, ratio), rows, columns)
    gone_rows, gone_columns = removed_lines(rows, columns, ratio)
    full_rows, full_columns = kept.any(2), kept.any(1)
    assert full_rows.sum(1).eq(rows - gone_rows).all()
    assert full_columns.sum(1).eq(columns - gone_columns).all()
    assert torch.equal(kept, full_rows[:, :, None] & full_columns[:, None, :])


@pytest.mark.parametrize(("rows", "columns", "ratio"), GRIDS)
def test_about_the_asked_share_is_removed(rows, columns, ratio) -> None:
    """Rounding to whole lines changes the share by at most half a row and half a column."""
    share = removed(drawn(rows, columns, ratio), rows * columns).float().mean()
    assert abs(share - ratio) <= 0.5 / rows + 0.5 / columns + 1e-6


def test_every_patch_is_kept_by_some_mask_and_removed_by_another() -> None:
    kept = grid(drawn(8, 63, 0.75, batch=200), 8, 63).float().mean(0)
    assert kept.min() > 0.1
    assert kept.max() < 0.5


def test_indices_ascend_without_repeating() -> None:
    keep = drawn(8, 63, 0.75)
    assert (keep.diff(dim=1) > 0).all()
    assert keep.min() >= 0
    assert keep.max() < 8 * 63


def test_a_seed_decides_and_clips_differ() -> None:
    assert torch.equal(drawn(8, 63, 0.75), drawn(8, 63, 0.75))
    assert not torch.equal(drawn(8, 63, 0.75), drawn(8, 63, 0.75, seed=4))
    assert len(drawn(8, 63, 0.75).unique(dim=0)) == 50


def test_without_a_generator_the_global_one_decides() -> None:
    torch.manual_seed(5)
    first = structured_keep(4, 8, 63, 0.75)
    second = structured_keep(4, 8, 63, 0.75)
    torch.manual_seed(5)
    assert torch.equal(structured_keep(4, 8, 63, 0.75), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("rows", "columns", "ratio"), [(2, 60, 0.95), (60, 2, 0.95), (1, 9, 0.8)])
def test_a_mask_that_leaves_nothing_is_refused(rows, columns, ratio) -> None:
    with pytest.raises(AsdError, match=f"mask ratio {ratio}: nothing is left of {rows} × {columns} patches"):
        removed_lines(rows, columns, ratio)


def test_the_smallest_noise_stays() -> None:
    assert keep_smallest(torch.tensor([[0.4, 0.1, 0.9, 0.2]]), 2).tolist() == [[1, 3]]
