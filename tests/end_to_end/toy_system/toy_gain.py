"""A separator of one number: how loud the machine is in its mixture."""

import torch
from torch import Tensor, nn

from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import Separator


class ToyGain(Separator):
    """Scales a mixture by one learned factor."""

    def __init__(self, start: float = 1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(start))

    def loss(self, mixtures: Mixtures) -> Tensor:
        return (self.separate(mixtures.mixture) - mixtures.sources[:, 0]).abs().mean()

    def separate(self, mixture: Tensor) -> Tensor:
        return self.gain * mixture
