"""Squeeze and excitation (J. Hu, L. Shen and G. Sun, CVPR 2018): channels weighed by what the whole input says."""

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Multiplies every channel of (B, channels, …) by a number in (0, 1); without biases."""

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        hidden = max(1, channels // ratio)
        self.fc1 = nn.Linear(channels, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, channels, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Weigh the channels by their means over all positions."""
        weights = self.fc2(self.fc1(inputs.flatten(2).mean(2)).relu()).sigmoid()
        return inputs * weights.reshape(*weights.shape, *[1] * (inputs.dim() - 2))
