"""Squeeze and excitation (J. Hu, L. Shen and G. Sun, CVPR 2018): channels weighted by the means of the input."""

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Multiplies each channel of (B, channels, …) by a weight in (0, 1); the layers have no biases."""

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        hidden = max(1, channels // ratio)
        self.fc1 = nn.Linear(channels, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, channels, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs with weights computed from the channels' means over all positions."""
        weights = self.fc2(self.fc1(inputs.flatten(2).mean(2)).relu()).sigmoid()
        return inputs * weights.reshape(*weights.shape, *[1] * (inputs.dim() - 2))
