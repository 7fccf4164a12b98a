"""The reconstruction error of an autoencoder over time and frequency, of which its score is the mean."""

import numpy as np
import torch
from torch import Tensor, nn

from asdlib.examples.clips import Origin
from asdlib.examples.frame_windows import window_frames, window_starts
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.models.window_autoencoder import WindowAutoencoder


def frame_errors(network: nn.Module, features: Tensor, origin: Origin) -> np.ndarray:
    """Return the squared error of each frame and band of a clip (frames, bands), without its padding.

    A frame that is in several windows has the mean of its errors there. Weighted by the number of windows that a frame
    is in, the mean over the frames is the error that `embed` of the network returns.
    """
    frames, hop = len(features), 1 if isinstance(network, DenseAutoencoder) else network.hop
    inside = window_frames(window_starts(frames, network.frames, hop), frames, network.frames)
    squares = _residuals(network, features, features[inside], origin).square()
    numbers = inside.flatten()
    sums = torch.zeros_like(features).index_add_(0, numbers, squares.flatten(0, 1))
    return (sums / torch.bincount(numbers, minlength=frames)[:, None]).numpy()


def _residuals(network: nn.Module, features: Tensor, windows: Tensor, origin: Origin) -> Tensor:
    """Return the residuals of windows (windows, frames, bands) of a clip, in the units of the network's loss."""
    if isinstance(network, DenseAutoencoder):
        return network.residuals(windows.flatten(1)).reshape(windows.shape)
    assert isinstance(network, WindowAutoencoder)
    found = None
    if network.conditional:
        found = network.inference(features[None], torch.tensor([len(features)]), [origin]).expand(len(windows))
    scaled = network.scale(windows)
    return network(scaled, network.describe(found)) - scaled
