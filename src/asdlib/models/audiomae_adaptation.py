"""AudioMAE brought closer to machine sound: masked rectangles of the spectrogram are reconstructed (system4 §2.1).

The report masks rectangles that span 64 to 128 of the 128 mel bins and takes the absolute error of the log-mel as it is
(eq. 1), where the public pre-training masks patches at random and takes the squared error of normed patches.
"""

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers.adapters import load_part
from asdlib.layers.encoders.audiomae import COLUMNS, PATCH, ROWS, normalised
from asdlib.layers.patches import patchify
from asdlib.models.audiomae_decoder import MaskedAutoencoder, masked_error
from asdlib.weights.published.audiomae import read_audiomae

DECODER = ("decoder_", "mask_token")  # how its weights are named
_log = logging.getLogger(__name__)


class AudioMaeAdaptation(nn.Module):
    """The whole masked autoencoder, trained on masked rectangles of log-mel (B, frames, 128) that is not normalised.

    `mask_bins` and `mask_frames` are the smallest and the largest side of a rectangle, in multiples of a patch's 16.
    """

    def __init__(
        self,
        mask_bins: list[int],
        mask_frames: list[int],
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        decoder_width: int = 512,
        decoder_heads: int = 16,
    ):
        super().__init__()
        self.columns = patches_of("mask_bins", mask_bins, COLUMNS)
        self.rows = patches_of("mask_frames", mask_frames, ROWS - 1)  # something is always seen
        self.encoder = MaskedAutoencoder(width, depth, heads, decoder_width, decoder_heads)

    def start_from_public(self, path: Path) -> None:
        """Start from the public autoencoder; from one of its encoder alone, with a decoder that has learned nothing."""
        weights = read_audiomae(path)
        if "decoder_pred.weight" not in weights:
            _log.warning("%s: holds no decoder: it starts untrained", path)
            own = self.encoder.state_dict().items()
            weights = {name: tensor for name, tensor in own if name.startswith(DECODER)} | weights
        load_part(self.encoder, weights, "", str(path))

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips."""
        return WholeClips(clips)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error over the masked patches (eq. 1)."""
        spectrograms = normalised(batch.features, batch.frames)  # (B, 1024, 128)
        masked = draw_rectangles(len(spectrograms), self.rows, self.columns).to(spectrograms.device)
        visible = (~masked).nonzero()[:, 1].view(len(masked), -1)  # (B, kept): equally many in every clip
        prediction = self.encoder.decode(self.encoder.encode(spectrograms, visible), visible)
        return masked_error(prediction, patchify(spectrograms), masked, squared=False, per_patch_norm=False)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `embedding`, the mean of the 512 normed patch tokens, (B, width)."""
        return {"embedding": self.encoder.encode(normalised(batch.features, batch.frames))[:, 1:].mean(1)}


def draw_rectangles(count: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Draw one masked rectangle of patches in each of so many clips, (count, 512), True = masked.

    The sides, between the two given each, are those of the whole batch, so that every clip keeps as many tokens; the
    place is each clip's own.
    """
    height, width = (int(torch.randint(least, most + 1, ())) for least, most in (rows, columns))
    top = torch.randint(ROWS - height + 1, (count, 1))
    left = torch.randint(COLUMNS - width + 1, (count, 1))
    row, column = torch.arange(ROWS), torch.arange(COLUMNS)
    inside_rows = (row >= top) & (row < top + height)  # (count, 64)
    inside_columns = (column >= left) & (column < left + width)  # (count, 8)
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).flatten(1)


def patches_of(name: str, sides: list[int], most: int) -> tuple[int, int]:
    """Return the smallest and the largest side of a rectangle in patches."""
    if len(sides) != 2 or any(side % PATCH for side in sides) or not PATCH <= sides[0] <= sides[1] <= most * PATCH:
        raise AsdError(
            f"audiomae_adaptation: {name}: {sides}: give the smallest and the largest side, "
            f"multiples of {PATCH} from {PATCH} to {most * PATCH}"
        )
    return sides[0] // PATCH, sides[1] // PATCH
