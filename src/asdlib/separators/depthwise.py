"""A depthwise convolution over time for channels-last features."""

from torch import Tensor, nn
from torch.nn import functional


class DepthwiseConv(nn.Conv1d):
    """A convolution with one filter per channel and the same number of frames; parameters as in `nn.Conv1d`.

    On the CPU, PyTorch's one-dimensional convolution first copies its input to channels-first, which takes up to ten
    times as long as the convolution. A two-dimensional convolution over a channels-last image of height one copies
    nothing. The results are equal up to rounding.
    """

    def __init__(self, channels: int, kernel: int):
        super().__init__(channels, channels, kernel, padding="same", groups=channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, frames, channels) to the same shape."""
        if inputs.device.type != "cpu":
            return super().forward(inputs.mT).mT
        image = inputs.mT[:, :, None]  # (B, channels, 1, frames)
        filters = self.weight[:, :, None]
        return functional.conv2d(image, filters, self.bias, padding="same", groups=self.groups)[:, :, 0].mT
