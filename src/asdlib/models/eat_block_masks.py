"""Inverse block masking, which keeps squares of patches visible (Chen et al., EAT; data2vec 2.0)."""

import torch
from torch import Tensor

BLOCK = 5  # patches along a side of a visible square
SURPLUS = 0.07  # added to the share of visible patches when squares are drawn, because squares overlap


def visible_blocks(
    masks: int, rows: int, columns: int, mask_ratio: float, block: int = BLOCK, surplus: float = SURPLUS
) -> Tensor:
    """Return the indices of the visible patches of random masks, (masks, kept), in ascending order.

    The centres of the squares are drawn with replacement from the global generator. Patches outside the grid are moved
    onto its edge. Then random patches are hidden or shown until every mask has exactly the same number.
    """
    patches = rows * columns
    kept = int(patches * (1 - mask_ratio))
    squares = int(patches * (1 - mask_ratio + surplus) / block**2)
    centres = torch.randint(patches, (masks, squares))
    offsets = torch.arange(block) - block // 2
    row = (centres[:, :, None] // columns + offsets).clamp(0, rows - 1)  # (masks, squares, block)
    column = (centres[:, :, None] % columns + offsets).clamp(0, columns - 1)
    inside = (row[..., :, None] * columns + column[..., None, :]).flatten(1)
    shown = torch.zeros(masks, patches).scatter_(1, inside, 1.0)
    # The random numbers are below 1, so that all shown patches rank before the others.
    ranked = shown + torch.rand(masks, patches)
    return ranked.topk(kept, dim=1).indices.sort(dim=1).values
