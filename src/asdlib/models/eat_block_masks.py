"""Inverse block masking: squares of patches stay visible, all others are masked (Chen et al., EAT; data2vec 2.0)."""

import torch
from torch import Tensor

BLOCK = 5  # patches along a side of a visible square
SURPLUS = 0.07  # squares are drawn for so much more than what shall be visible, because they overlap


def visible_blocks(masks: int, rows: int, columns: int, mask_ratio: float) -> Tensor:
    """Draw which patches of a grid stay visible, (masks, kept) indices in ascending order, from the global generator.

    Square centres are drawn with replacement and squares are cut off at the grid's edges by moving their outer patches
    onto it. Then so many patches at random are hidden or shown that every mask has exactly the same number.
    """
    patches = rows * columns
    kept = int(patches * (1 - mask_ratio))
    squares = int(patches * (1 - mask_ratio + SURPLUS) / BLOCK**2)
    centres = torch.randint(patches, (masks, squares))
    offsets = torch.arange(BLOCK) - BLOCK // 2
    row = (centres[:, :, None] // columns + offsets).clamp(0, rows - 1)  # (masks, squares, BLOCK)
    column = (centres[:, :, None] % columns + offsets).clamp(0, columns - 1)
    inside = (row[..., :, None] * columns + column[..., None, :]).flatten(1)
    shown = torch.zeros(masks, patches).scatter_(1, inside, 1.0)
    # A random number below 1 decides among the shown, and after all of them among the others.
    ranked = shown + torch.rand(masks, patches)
    return ranked.topk(kept, dim=1).indices.sort(dim=1).values
