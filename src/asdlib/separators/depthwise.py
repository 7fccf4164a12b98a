"""A depthwise convolution over time for features whose channels are last."""

from torch import Tensor, nn
from torch.nn import functional


class DepthwiseConv(nn.Conv1d):
    """One filter a channel, as many frames out as in; parameters as those of `nn.Conv1d`.

    On the CPU PyTorch's one-dimensional convolution first copies its input to channels-first, which costs up to ten
    times the convolution itself; as a flat image with channels last nothing is copied. Same results to rounding.
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
