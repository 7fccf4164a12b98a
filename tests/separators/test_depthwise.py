"""Tests of the depthwise convolution against PyTorch's own."""

import pytest
import torch
from torch import nn

from asdlib.separators.depthwise import DepthwiseConv


@pytest.mark.parametrize("kernel", [1, 3, 65])
@pytest.mark.parametrize("frames", [1, 10, 200])
def test_results_and_gradients_are_those_of_the_plain_convolution(kernel: int, frames: int) -> None:
    torch.manual_seed(0)
    ours = DepthwiseConv(6, kernel)
    plain = nn.Conv1d(6, 6, kernel, padding="same", groups=6)
    plain.load_state_dict(ours.state_dict())
    features = torch.randn(2, frames, 6, requires_grad=True)
    weights = torch.randn(2, frames, 6)
    results = []
    for output in (ours(features), plain(features.mT).mT):
        gradients = torch.autograd.grad((output * weights).sum(), features)
        results.append((output, *gradients))
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)
    (ours(features) * weights).sum().backward()
    (plain(features.mT).mT * weights).sum().backward()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad, atol=1e-5, rtol=1e-5)
