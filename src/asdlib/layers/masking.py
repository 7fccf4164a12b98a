"""Structured masks, which remove whole rows and columns of the grid of a spectrogram's patches.

A masked autoencoder of images removes single patches at random. Sounds extend along a row (a tone) or a column (a
click), so that single patches can be guessed from their neighbours. Therefore whole rows and columns are drawn, and a
patch is removed if its row or its column is. Their numbers are fixed, so that all clips keep the same number of
patches.
"""

import math

import torch
from torch import Tensor

from asdlib.errors import AsdError


def removed_lines(rows: int, columns: int, ratio: float) -> tuple[int, int]:
    """Return the numbers of rows and columns to remove, so that about a share `ratio` of the patches is removed.

    The same share q of both is removed. This leaves (1 − q)² of the grid, so q = 1 − √(1 − ratio). Raises AsdError if
    nothing is left.
    """
    share = 1 - math.sqrt(1 - ratio)
    removed = round(rows * share), round(columns * share)
    if removed[0] == rows or removed[1] == columns:
        raise AsdError(f"mask ratio {ratio}: nothing is left of {rows} × {columns} patches: lower it")
    return removed


def structured_keep(
    batch: int, rows: int, columns: int, ratio: float, generator: torch.Generator | None = None
) -> Tensor:
    """Return the patches to keep, drawn at random: ascending indices (B, kept) into the row-major grid, on the CPU.

    The default `generator` is torch's global one.
    """
    gone = removed_lines(rows, columns, ratio)
    kept_rows = keep_smallest(torch.rand(batch, rows, generator=generator), rows - gone[0]).sort(1).values
    kept_columns = keep_smallest(torch.rand(batch, columns, generator=generator), columns - gone[1]).sort(1).values
    return (kept_rows[:, :, None] * columns + kept_columns[:, None, :]).flatten(1)


def keep_smallest(noise: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` smallest values of noise (B, values), smallest first, (B, count)."""
    return noise.argsort(1)[:, :count]


def removed(keep: Tensor, patches: int) -> Tensor:
    """Return a mask (B, patches) that is True for removed patches, from the indices `keep` (B, kept)."""
    return torch.ones(len(keep), patches, dtype=torch.bool, device=keep.device).scatter(1, keep, False)


def removed_indices(keep: Tensor, patches: int) -> Tensor:
    """Return the removed patches, ascending indices (B, patches - kept), from the indices `keep` (B, kept).

    Their number is known from the shapes. `nonzero` or a boolean index would make the host wait for the device.
    """
    gone = removed(keep, patches).int()
    return gone.argsort(dim=1, descending=True, stable=True)[:, : patches - keep.shape[1]]
