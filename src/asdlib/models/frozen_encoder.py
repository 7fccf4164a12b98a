"""Public encoders as they are: their tokens, pooled over time to vectors that a backend compares.

Nothing is trained. The tokens of BEATs and EAT form a grid of time steps and frequency bands. Each band is pooled for
itself, so that a backend can find the nearest normal clip of every band (BEAM), and all become one vector.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.layers.encoders.beats import PATCH, Beats
from asdlib.layers.encoders.eat import EatEncoder
from asdlib.layers.time_pooling import TimePooling
from asdlib.weights.published.beats import read_beats
from asdlib.weights.published.eat import read_eat
from asdlib.weights.published.files import check_keys

BANDS = 128 // PATCH
LONGEST = 768  # time steps, for which the public EAT has positions: 123 s
ENCODERS = ("beats", "eat")
SEQUENCES = ("joined", "mean", "tokens")
CLIPS = 8  # encoded at a time: 16 s are 792 tokens, whose attention takes 0.2 GB per layer


class FrozenEncoder(nn.Module):
    """Log-mel (B, frames, 128) → `rows` (B, 8, width), one vector per frequency band, and one vector, `embedding`.

    `encoder` is beats, for log-mel that is not normalised, or eat. A clip is encoded at its own length, without the
    padding after it; frames at its end that do not fill a patch are left out. A clip shorter than a patch is repeated.

    The vectors of `embedding` are, by `sequence`, the bands of a time step joined, or their mean, or all tokens one by
    one; `pooling`, `gamma` and `power` pool them over time (TimePooling). `row_pooling`, `row_gamma` and `row_power` do
    so for each of the `rows`. `patch_width` belongs to BEATs alone.
    """

    trained = False

    def __init__(
        self,
        encoder: str,
        sequence: str = "joined",
        pooling: str = "rdp_gem",
        gamma: float = 16.0,
        power: float = 3.0,
        row_pooling: str = "rdp",
        row_gamma: float = 4.0,
        row_power: float = 3.0,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch_width: int = 512,
    ):
        super().__init__()
        for name, value, words in (("encoder", encoder, ENCODERS), ("sequence", sequence, SEQUENCES)):
            if value not in words:
                raise AsdError(f"model frozen_encoder: {name} {value!r}: use one of: {', '.join(words)}")
        self.sequence = sequence
        self.pooling = TimePooling(pooling, gamma, power)
        self.row_pooling = TimePooling(row_pooling, row_gamma, row_power)
        sizes = {"width": width, "depth": depth, "heads": heads}
        self.encoder = BeatsGrid(patch_width=patch_width, **sizes) if encoder == "beats" else EatGrid(**sizes)

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder."""
        self.encoder.start_from_public(path)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `rows` (B, 8, width) and `embedding`, (B, width) or, with bands joined, (B, 8 · width)."""
        return of_whole_clips(batch.features, batch.frames.tolist(), lambda one: self._pooled(self.encoder(one)))

    def _pooled(self, grid: Tensor) -> dict[str, Tensor]:
        """Return the representations of clips with the tokens (B, times, 8, width)."""
        ways = {"joined": grid.flatten(2), "mean": grid.mean(2), "tokens": grid.flatten(1, 2)}
        return {"rows": self.row_pooling(grid.transpose(1, 2)), "embedding": self.pooling(ways[self.sequence])}


class BeatsGrid(nn.Module):
    """BEATs, log-mel (B, frames, 128) of real frames alone → tokens (B, times, 8, width)."""

    def __init__(self, **sizes: float):
        super().__init__()
        self.network = Beats(**sizes)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the tokens of the last layer."""
        frames = torch.full((len(log_mel),), log_mel.shape[1], device=log_mel.device)
        return as_grid(self.network(log_mel, frames)[0])

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder."""
        weights = read_beats(path)
        check_keys(str(path), weights, {name: tensor.shape for name, tensor in self.network.state_dict().items()})
        self.network.load_state_dict(weights)


class EatGrid(nn.Module):
    """EAT, normalised log-mel (B, frames, 128) of real frames alone → tokens (B, times, 8, width)."""

    def __init__(self, **sizes: int):
        super().__init__()
        self.network = EatEncoder(LONGEST, BANDS, **sizes)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the tokens of the last block without the utterance token."""
        if log_mel.shape[1] // PATCH > LONGEST:
            raise AsdError(
                f"model frozen_encoder: EAT has no positions beyond {LONGEST * PATCH} frames: set prepare.longer: split"
            )
        return as_grid(self.network(log_mel)[:, 1:])

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder; a decoder or teacher in the file is ignored."""
        self.network.load(read_eat(path), str(path))


def as_grid(tokens: Tensor) -> Tensor:
    """Return tokens (B, times · 8, width), the bands of each time step together, as (B, times, 8, width)."""
    return tokens.unflatten(1, (-1, BANDS))


def of_whole_clips(
    log_mel: Tensor, frames: list[int], represent: Callable[[Tensor], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return what `represent` makes of clips (B, frames, 128), a few of the same length at a time.

    `frames` are the B numbers of real frames; padding is left out. Frames at the end that do not fill a patch are
    left out too. A clip shorter than a patch is repeated.
    """
    whole = [count if count < PATCH else count // PATCH * PATCH for count in frames]
    found: dict[str, Tensor] = {}
    for length in sorted(set(whole)):  # clips of the same length need no mask
        chosen = torch.arange(max(length, PATCH), device=log_mel.device) % length
        rows = [row for row, own in enumerate(whole) if own == length]
        for few in torch.tensor(rows, device=log_mel.device).split(CLIPS):
            for name, vectors in represent(log_mel[few][:, chosen]).items():
                of_all = found.setdefault(name, vectors.new_empty(len(whole), *vectors.shape[1:]))
                of_all[few] = vectors
    return found
