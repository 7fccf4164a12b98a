"""Features under names: which values each name has, and sizes that do not fit."""

import pytest
import torch
from helpers.refusals import refused

from asdlib.examples.clips import Batch
from asdlib.models.feature_parts import FeatureParts

ROWS = torch.arange(10.0).view(2, 1, 5)


def batch() -> Batch:
    return Batch(ROWS, torch.ones(2, dtype=torch.int64), torch.zeros(2, dtype=torch.bool))


def test_each_name_has_the_next_values() -> None:
    parts = FeatureParts(["one", "rest"], [1, 4]).embed(batch())
    assert {name: part.tolist() for name, part in parts.items()} == {
        "one": [[0], [5]],
        "rest": [[1, 2, 3, 4], [6, 7, 8, 9]],
    }


def test_as_many_names_as_sizes() -> None:
    refused(lambda: FeatureParts(["one"], [1, 4]), "model feature_parts: 1 names and 2 sizes: give as many of both")


@pytest.mark.parametrize("sizes", [[1, 3], [1, 5]], ids=["too few", "too many"])
def test_sizes_that_are_not_those_of_the_features_are_refused(sizes: list[int]) -> None:
    expected = rf"model feature_parts: clips have 5 values: change sizes \[1, {sizes[1]}\]"
    refused(lambda: FeatureParts(["one", "rest"], sizes).embed(batch()), expected)
