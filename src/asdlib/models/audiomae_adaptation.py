"""AudioMAE adapted to machine sounds by reconstructing masked rectangles of the spectrogram (system4 §2.1).

The report masks rectangles that span 64 to 128 of the 128 mel bins and minimises the absolute error of the log-mel
without patch normalisation (eq. 1). The public pre-training masks random patches and minimises the squared error of
normalised patches.
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
from asdlib.models.audiomae_decoder import MaskedAutoencoder, masked_pixel_error
from asdlib.runtime.devices import send
from asdlib.weights.published.audiomae import read_audiomae

DECODER = ("decoder_", "mask_token")  # prefixes of the names of its weights
_log = logging.getLogger(__name__)


class AudioMaeAdaptation(nn.Module):
    """The masked autoencoder, trained on masked rectangles of a log-mel (B, frames, 128) that is not normalised.

    `mask_bins` and `mask_frames` are the smallest and the largest side of a rectangle, in multiples of the patch size,
    16.
    """

    divisible = True  # a mean over clips (asdlib.training.micro_batches)

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
        self.rows = patches_of("mask_frames", mask_frames, ROWS - 1)  # one row at least stays visible
        self.encoder = MaskedAutoencoder(width, depth, heads, decoder_width, decoder_heads)

    def start_from_public(self, path: Path) -> None:
        """Load the public autoencoder; if the file holds only its encoder, the decoder starts from random weights."""
        weights = read_audiomae(path)
        if "decoder_pred.weight" not in weights:
            _log.warning("%s: holds no decoder: the decoder starts from random weights", path)
            own = self.encoder.state_dict().items()
            weights = {name: tensor for name, tensor in own if name.startswith(DECODER)} | weights
        load_part(self.encoder, weights, "", str(path))

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips."""
        return WholeClips(clips)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error over the masked patches (eq. 1)."""
        spectrograms = normalised(batch.features, batch.frames)  # (B, 1024, 128)
        masked = draw_rectangles(len(spectrograms), self.rows, self.columns)
        # (B, kept) and (B, masked), the same numbers in every clip; on the CPU, so that nothing waits for the device
        visible, hidden = (
            send(which.nonzero()[:, 1].view(len(masked), -1), spectrograms.device) for which in (~masked, masked)
        )
        prediction = self.encoder.decode(self.encoder.encode(spectrograms, visible), visible)
        return masked_pixel_error(prediction, patchify(spectrograms), hidden, squared=False, per_patch_norm=False)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `embedding`, the mean of the 512 normalised patch tokens, (B, width)."""
        return {"embedding": self.encoder.encode(normalised(batch.features, batch.frames))[:, 1:].mean(1)}


def draw_rectangles(count: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Return one random masked rectangle of patches for each of `count` clips, (count, 512), True where masked.

    `rows` and `columns` are the ranges of the sides. The sides are drawn once for the whole batch, so that every clip
    keeps the same number of tokens; the position is drawn for each clip.
    """
    height, width = (int(torch.randint(least, most + 1, ())) for least, most in (rows, columns))
    top = torch.randint(ROWS - height + 1, (count, 1))
    left = torch.randint(COLUMNS - width + 1, (count, 1))
    row, column = torch.arange(ROWS), torch.arange(COLUMNS)
    inside_rows = (row >= top) & (row < top + height)  # (count, 64)
    inside_columns = (column >= left) & (column < left + width)  # (count, 8)
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).flatten(1)


def patches_of(name: str, sides: list[int], most: int) -> tuple[int, int]:
    """Return the smallest and the largest side of a rectangle in patches, or raise AsdError."""
    if len(sides) != 2 or any(side % PATCH for side in sides) or not PATCH <= sides[0] <= sides[1] <= most * PATCH:
        raise AsdError(
            f"model audiomae_adaptation: {name} {sides}: give the smallest and the largest side, "
            f"multiples of {PATCH} from {PATCH} to {most * PATCH}"
        )
    return sides[0] // PATCH, sides[1] // PATCH
