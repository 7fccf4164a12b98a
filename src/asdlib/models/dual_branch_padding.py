"""TensorFlow's "same" padding: ⌈size / stride⌉ outputs, with an odd value of padding at the end."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def pad_same(inputs: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Return inputs (B, channels, …), padded with zeros for a convolution with this kernel and stride."""
    padding: list[int] = []
    for size, width, step in zip(inputs.shape[2:], kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + width - size, 0)
        padding = [total // 2, total - total // 2, *padding]  # `pad` expects the last axis first
    return functional.pad(inputs, padding)


class SameConv1d(nn.Conv1d):
    """A convolution without bias over (B, channels, positions) with TensorFlow's padding."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, outputs, ⌈positions / stride⌉)."""
        return super().forward(pad_same(inputs, self.kernel_size, self.stride))


class SameConv2d(nn.Conv2d):
    """A convolution without bias over (B, channels, frames, bins) with TensorFlow's padding."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, outputs, ⌈frames / stride⌉, ⌈bins / stride⌉)."""
        return super().forward(pad_same(inputs, self.kernel_size, self.stride))
