"""Inverse block masks: a fixed number of visible patches, in blocks, drawn from the global generator."""

import pytest
import torch

from asdlib.models.eat_block_masks import visible_blocks


@pytest.mark.parametrize(("rows", "columns", "ratio"), [(64, 8, 0.8), (16, 8, 0.8), (4, 2, 0.5), (64, 8, 0.75)])
def test_every_mask_shows_the_same_number(rows: int, columns: int, ratio: float) -> None:
    indices = visible_blocks(50, rows, columns, ratio)
    assert indices.shape == (50, int(rows * columns * (1 - ratio)))
    assert (indices.diff(dim=1) > 0).all()  # ascending, without duplicates
    assert indices.min() >= 0
    assert indices.max() < rows * columns


def test_masks_follow_the_global_seed_and_differ_from_each_other() -> None:
    torch.manual_seed(3)
    first = visible_blocks(8, 64, 8, 0.8)
    torch.manual_seed(3)
    assert torch.equal(first, visible_blocks(8, 64, 8, 0.8))
    assert len(first.unique(dim=0)) == 8


def test_squares_have_the_published_size_and_number() -> None:
    """data2vec's mask_length 5 and mask_prob_adjust 0.07 are the defaults: 5 squares of 25 for 102 of 512 patches."""
    drawn = []
    for sizes in ({}, {"block": 5, "surplus": 0.07}):
        torch.manual_seed(3)
        drawn.append(visible_blocks(8, 64, 8, 0.8, **sizes))
    assert torch.equal(*drawn)


def test_what_is_visible_lies_together() -> None:
    """If patches were drawn one by one, one in five neighbours of a visible patch would be visible."""
    torch.manual_seed(0)
    visible = torch.zeros(200, 512).scatter_(1, visible_blocks(200, 64, 8, 0.8), 1.0).view(-1, 64, 8)
    below = (visible[:, 1:] * visible[:, :-1]).sum() / visible[:, :-1].sum()
    assert below > 0.6
