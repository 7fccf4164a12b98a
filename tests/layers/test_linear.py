"""The linear layer against PyTorch's own."""

import pytest
import torch
from torch import nn

from asdlib.layers.linear import Linear


@pytest.mark.parametrize("shape", [(7, 12), (256, 12), (1, 12), (3, 5, 12)])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, theirs = Linear(12, 5), nn.Linear(12, 5)
    theirs.load_state_dict(ours.state_dict())
    results = []
    for layer in (ours, theirs):
        inputs = torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape).requires_grad_()
        output = layer(inputs)
        output.square().sum().backward()
        results.append([output.detach(), inputs.grad, layer.weight.grad, layer.bias.grad])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_no_gradient_is_made_for_inputs_that_need_none() -> None:
    layer = Linear(4, 3)
    inputs = torch.ones(2, 4)
    layer(inputs).sum().backward()
    assert inputs.grad is None
    assert layer.weight.grad is not None
