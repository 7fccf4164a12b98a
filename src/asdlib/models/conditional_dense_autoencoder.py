"""The conditional autoencoder with fully connected layers, system 4 of report 3.

The report (§3) gives no further details. The sizes are those of the official baseline (docs/baseline.md).
"""

import torch
from torch import Tensor, nn

from asdlib.layers.dense import dense_layers
from asdlib.models.window_autoencoder import WindowAutoencoder


class ConditionalDenseAutoencoder(WindowAutoencoder):
    """frames · bands + condition → hidden × depth → latent + condition → hidden × depth → frames · bands.

    See `WindowAutoencoder` for `condition_decoder` and the arguments after it.
    """

    def __init__(
        self,
        frames: int = 5,
        hop: int = 1,
        hidden: int = 128,
        depth: int = 4,
        latent: int = 8,
        batch_norm_momentum: float = 0.01,
        batch_norm_eps: float = 0.001,
        conditional: bool = True,
        condition: int = 16,
        condition_decoder: bool = True,
        clusters: int = 4,
        components: int = 16,
    ):
        super().__init__(frames, hop, conditional, condition, condition_decoder, clusters, components)
        self.hidden = [hidden] * depth
        self.latent = latent
        self.norm = {"momentum": batch_norm_momentum, "eps": batch_norm_eps}

    def build(self, bands: int) -> None:
        """Build the layers for spectrograms of `bands` bands."""
        size = self.frames * bands
        self.encoder = nn.Sequential(*dense_layers([size + self.width, *self.hidden, self.latent], self.norm))
        widths = [self.latent + self.decoder_width, *self.hidden]
        self.decoder = nn.Sequential(*dense_layers(widths, self.norm), nn.Linear(widths[-1], size))

    def forward(self, windows: Tensor, condition: Tensor | None) -> Tensor:
        """Return scaled windows (B, frames, bands), reconstructed given their conditions (B, width) or None."""
        vectors = windows.flatten(1)
        if condition is not None:
            vectors = torch.cat([vectors, condition], dim=1)
        return self.decoder(self.with_condition(self.encoder(vectors), condition)).unflatten(1, windows.shape[1:])
