"""Stacks of dense layers."""

import torch
from torch import nn

from asdlib.layers.dense import dense_layers


def test_a_relu_overwrites_its_input_and_changes_no_gradient() -> None:
    torch.manual_seed(0)
    stack = nn.Sequential(*dense_layers([6, 5, 4], {"momentum": 0.1, "eps": 0.001}))
    inputs = torch.randn(8, 6)
    normalised = []
    for layer in stack:
        if isinstance(layer, nn.BatchNorm1d):
            layer.register_forward_hook(lambda _, arguments, output: normalised.append(output.data_ptr()))
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda _, arguments, output: normalised.remove(output.data_ptr()))
    stack(inputs).square().sum().backward()
    assert normalised == []
    found = [parameter.grad.clone() for parameter in stack.parameters()]
    stack.zero_grad()
    for layer in stack:
        inputs = torch.relu(inputs) if isinstance(layer, nn.ReLU) else layer.forward(inputs)
    inputs.square().sum().backward()
    assert all(torch.equal(own, parameter.grad) for own, parameter in zip(found, stack.parameters(), strict=True))
