"""Matrix products and a linear layer that use the whole processor.

PyTorch hands float32 matrix products on the CPU to MKL, which runs at half speed on processors of another maker.
oneDNN, which PyTorch ships as well and uses for convolutions, does not. Same weights, same results to rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class Linear(nn.Linear):
    """`nn.Linear`, computed by oneDNN for float32 matrices (B, inputs) on the CPU and as usual everywhere else."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs · weightᵀ + bias, (B, outputs)."""
        if inputs.device.type != "cpu" or inputs.dtype != torch.float32 or inputs.dim() != 2 or self.bias is None:
            return functional.linear(inputs, self.weight, self.bias)
        return _OneDnnLinear.apply(inputs, self.weight, self.bias)


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return matrix_product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        inputs, weight = ctx.saved_tensors
        to_inputs = matrix_product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        return to_inputs, matrix_product(gradient.t(), inputs.t()), gradient.sum(0)


def matrix_product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return left · rightᵀ + bias, float32 matrices on the CPU; no gradient flows."""
    if not torch.backends.mkldnn.is_available():
        return functional.linear(left, right, bias)
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
