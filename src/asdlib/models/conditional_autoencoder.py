"""The conditional convolutional autoencoder of Fu et al. (report 3 of DCASE 2025 Task 2, §2.2; docs/system3.md).

The operating condition of a clip is given to the network as further channels of the spectrogram. A clip is represented
by the reconstruction errors of its bands.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.models.window_autoencoder import WindowAutoencoder


class ConditionalAutoencoder(WindowAutoencoder):
    """(1 + condition, bands, frames) → convolutions that halve both axes → latent + condition → (1, bands, frames).

    `channels` are those of the convolutions. See `WindowAutoencoder` for the other arguments.
    """

    def __init__(
        self,
        frames: int = 64,
        hop: int = 32,
        channels: list[int] | None = None,
        latent: int = 64,
        conditional: bool = True,
        condition: int = 16,
        condition_decoder: bool = True,
        clusters: int = 4,
        components: int = 16,
    ):
        super().__init__(frames, hop, conditional, condition, condition_decoder, clusters, components)
        self.channels = channels or [32, 64, 128, 128]
        self.latent = latent

    def build(self, bands: int) -> None:
        """Build the layers for spectrograms of `bands` bands."""
        shrink = 2 ** len(self.channels)
        for name, size in (("bands of the frontend", bands), ("frames", self.frames)):
            if size % shrink:
                raise AsdError(f"model conditional_autoencoder: {size} {name}: choose a multiple of {shrink}")
        smallest = (self.channels[-1], bands // shrink, self.frames // shrink)
        flat = smallest[0] * smallest[1] * smallest[2]
        widths = [1 + self.width, *self.channels]
        self.encoder = nn.Sequential(
            *[layer for inputs, outputs in pairwise(widths) for layer in _halve(inputs, outputs)],
            nn.Flatten(),
            nn.Linear(flat, self.latent),
        )
        widths = [*reversed(self.channels), self.channels[0]]
        self.decoder = nn.Sequential(
            nn.Linear(self.latent + self.decoder_width, flat),
            nn.Unflatten(1, smallest),
            *[layer for inputs, outputs in pairwise(widths) for layer in _double(inputs, outputs)],
            nn.Conv2d(widths[-1], 1, 3, padding=1),
        )
        self.to(memory_format=torch.channels_last)  # the same result in half the time on a CPU

    def forward(self, windows: Tensor, condition: Tensor | None) -> Tensor:
        """Return scaled windows (B, frames, bands), reconstructed given their conditions (B, width) or None."""
        image = windows.transpose(1, 2)[..., None]  # (B, bands, frames, 1): the channels come last in memory
        if condition is not None:
            image = torch.cat([image, condition[:, None, None].expand(-1, *image.shape[1:3], -1)], dim=3)
        latent = self.encoder(image.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last))
        return self.decoder(self.with_condition(latent, condition))[:, 0].transpose(1, 2)


def _halve(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)  # the batch norm has a bias
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _double(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
