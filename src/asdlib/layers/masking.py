"""Which patches of a spectrogram an encoder sees: all but some whole rows and columns of the patch grid.

A masked autoencoder of pictures removes patches at random, each for itself. Sound is spread out along a row (a tone) or
a column (a click), and its neighbours give a single patch away. So whole rows and whole columns are drawn, and a patch
is removed if its row or its column is. The counts are fixed, so that every clip keeps equally many patches.
"""

import math

import torch
from torch import Tensor

from asdlib.errors import AsdError


def removed_lines(rows: int, columns: int, ratio: float) -> tuple[int, int]:
    """Return how many rows and columns to remove so that about a share `ratio` of the patches is gone.

    The same share q of either: what is left is (1 − q)² of the grid, so q = 1 − √(1 − ratio).
    """
    share = 1 - math.sqrt(1 - ratio)
    removed = round(rows * share), round(columns * share)
    if removed[0] == rows or removed[1] == columns:
        raise AsdError(f"mask ratio {ratio}: nothing is left of {rows} × {columns} patches: lower it")
    return removed


def structured_keep(
    batch: int, rows: int, columns: int, ratio: float, generator: torch.Generator | None = None
) -> Tensor:
    """Draw the patches that stay, (B, kept) indices into the grid read row by row, ascending; on the CPU.

    Without a `generator` from torch's global one.
    """
    gone = removed_lines(rows, columns, ratio)
    kept_rows = keep_smallest(torch.rand(batch, rows, generator=generator), rows - gone[0]).sort(1).values
    kept_columns = keep_smallest(torch.rand(batch, columns, generator=generator), columns - gone[1]).sort(1).values
    return (kept_rows[:, :, None] * columns + kept_columns[:, None, :]).flatten(1)


def keep_smallest(noise: Tensor, count: int) -> Tensor:
    """Return the places of the `count` smallest values of noise (B, places), smallest first, (B, count)."""
    return noise.argsort(1)[:, :count]


def removed(keep: Tensor, patches: int) -> Tensor:
    """Return True where a patch is removed, (B, patches)."""
    return torch.ones(len(keep), patches, dtype=torch.bool, device=keep.device).scatter(1, keep, False)
