"""Tests of TensorFlow's padding: lengths, and the odd value at the end."""

import pytest
import torch

from asdlib.models.dual_branch_padding import SameConv1d, SameConv2d, pad_same


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [
        (160000 // 2, 256, 64, 96, 96),
        (10, 3, 2, 0, 1),
        (11, 3, 2, 1, 1),
        (4, 2, 2, 0, 0),
        (5, 16, 4, 7, 8),
        (8, 2, 4, 0, 0),
    ],
)
def test_padding(size: int, kernel: int, stride: int, before: int, after: int) -> None:
    padded = pad_same(torch.ones(1, 1, size), [kernel], [stride])[0, 0]
    assert padded.tolist() == [0.0] * before + [1.0] * size + [0.0] * after


def test_axes_are_padded_each_for_itself() -> None:
    padded = pad_same(torch.ones(1, 1, 10, 11), [3, 3], [2, 2])[0, 0]
    assert padded.shape == (11, 13)
    assert not padded[-1].any()
    assert not padded[:, 0].any()
    assert padded[0, 1:-1].all()


def test_as_many_outputs_as_strides() -> None:
    assert SameConv1d(1, 2, 16, 4)(torch.zeros(1, 1, 41)).shape == (1, 2, 11)
    assert SameConv2d(1, 2, 7, 2)(torch.zeros(1, 1, 311, 513)).shape == (1, 2, 156, 257)
