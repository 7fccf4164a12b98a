"""EAT's masks have the same statistics as those of the official code; the random numbers differ."""

import re
from typing import Any

import pytest
import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens

from asdlib.models.eat_block_masks import visible_blocks


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Reverse the order of the masks and of the frequencies."""
    io["mask"] = io["mask"].unflatten(1, config["cfg"]["grid"]).flip(0, 2).flatten(1)
    for name in [name for name in config if name.startswith("statistics")]:
        config[name]["visible_fraction_per_column"].reverse()


case = goldens("eat_mask", second=second)


def test_masks_have_the_statistics_of_the_reference(case: Golden) -> None:
    """The name of the statistics has the number of masks."""
    given = case.sizes
    assert given["inverse_mask"]
    assert given["require_same_masks"]
    (key,) = [name for name in case.config if re.fullmatch(r"statistics_of_\d+_masks", name)]
    theirs, count = case.config[key], int(key.split("_")[2])
    torch.manual_seed(0)
    indices = visible_blocks(count, *given["grid"], given["mask_prob"], given["mask_length"], given["mask_prob_adjust"])
    rows, columns = given["grid"]
    visible = torch.zeros(count, rows * columns, dtype=torch.bool).scatter_(1, indices, True).view(-1, rows, columns)
    assert visible.sum((1, 2)).unique().tolist() == theirs["visible_per_mask"]
    ours = statistics(visible)
    assert ours["pairs"] == pytest.approx(theirs["adjacent_visible_pairs_mean"], rel=0.02)
    assert ours["pairs_std"] == pytest.approx(theirs["adjacent_visible_pairs_std"], rel=0.05)
    assert ours["rows"] == pytest.approx(theirs["rows_with_any_visible_mean"], rel=0.02)
    assert ours["columns"] == pytest.approx(theirs["visible_fraction_per_column"], rel=0.02)
    assert ours["isolated"] == pytest.approx(theirs["isolated_visible_fraction"], rel=0.1)


def test_the_statistics_are_those_that_describe_the_reference_s_own_masks(case: Golden) -> None:
    theirs = case.config["statistics_of_this_file"]
    ours = statistics(case.io["mask"].view(-1, *case.sizes["grid"]) == 0)
    assert ours["pairs"] == pytest.approx(theirs["adjacent_visible_pairs_mean"], abs=1e-3)
    assert ours["columns"] == pytest.approx(theirs["visible_fraction_per_column"], abs=1e-4)
    assert ours["isolated"] == pytest.approx(theirs["isolated_visible_fraction"], abs=1e-4)


def statistics(visible: torch.Tensor) -> dict:
    """Return statistics of masks (N, rows, columns) in which visible patches are True."""
    padded = torch.nn.functional.pad(visible, (1, 1, 1, 1))
    pairs = (visible[:, 1:] & visible[:, :-1]).sum((1, 2)) + (visible[:, :, 1:] & visible[:, :, :-1]).sum((1, 2))
    neighbours = padded[:, 2:, 1:-1] | padded[:, :-2, 1:-1] | padded[:, 1:-1, 2:] | padded[:, 1:-1, :-2]
    return {
        "pairs": pairs.float().mean().item(),
        "pairs_std": pairs.float().std().item(),
        "rows": visible.any(2).sum(1).float().mean().item(),
        "columns": visible.float().mean((0, 1)).tolist(),
        "isolated": ((visible & ~neighbours).sum() / visible.sum()).item(),
    }
