"""TensorFlow's "same" padding: as many outputs as strides fit into the input, the odd value of padding at the end."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def pad_same(inputs: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pad the last axes of inputs (B, channels, …) with zeros for a convolution of this kernel and stride."""
    padding: list[int] = []
    for size, width, step in zip(inputs.shape[2:], kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + width - size, 0)
        padding = [total // 2, total - total // 2, *padding]  # the last axis comes first
    return functional.pad(inputs, padding)


class SameConv1d(nn.Conv1d):
    """A convolution without bias over (B, channels, positions), padded as TensorFlow pads."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, outputs, ⌈positions / stride⌉)."""
        return super().forward(pad_same(inputs, self.kernel_size, self.stride))


class SameConv2d(nn.Conv2d):
    """A convolution without bias over (B, channels, frames, bins), padded as TensorFlow pads."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, outputs, ⌈frames / stride⌉, ⌈bins / stride⌉)."""
        return super().forward(pad_same(inputs, self.kernel_size, self.stride))
