"""The self-supervised pre-training of EAT (Chen et al., 2024).

A student sees a fifth of a spectrogram's patches and predicts the outputs of its teacher, a moving average of the
student that sees all patches. Report 2 of DCASE 2025 continues this pre-training, which was done on AudioSet, with
machine sounds (docs/system2.md, Second stage).
"""

import logging
import math
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers.encoders.eat import PATCH, EatDecoder, EatEncoder, load_exactly
from asdlib.layers.masking import removed_indices
from asdlib.layers.patches import place_tokens, take_tokens
from asdlib.models.eat_block_masks import visible_blocks
from asdlib.runtime.devices import send
from asdlib.weights.published.eat import read_eat

NOISE = 0.01  # standard deviation of the noise that the decoder gets for a masked patch
REDUCTIONS = ("sum", "mean")

_log = logging.getLogger(__name__)


class Eat(nn.Module):
    """Student, decoder and teacher on spectrograms (B, frames, bands).

    clones               number of masks drawn for every clip; the teacher encodes the clip once
    mask_ratio           share of the patches that the student does not see
    target_layers        number of last blocks that the targets are averaged over; None: all
    decoder_width        channels of the decoder's convolutions; None: `width`
    utterance_reduction  "sum" over clips and clones, as in the authors' code, or "mean"
    ema_decay …          decay of the moving average: rises linearly from `ema_decay` to `ema_end_decay`, which it
                         reaches at update `ema_updates`; `ema_updates_before` updates are counted as already made
    """

    def __init__(
        self,
        frames: int = 1024,
        bands: int = 128,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        decoder_depth: int = 6,
        decoder_kernel: int = 3,
        decoder_groups: int = 16,
        clones: int = 16,
        mask_ratio: float = 0.8,
        utterance_weight: float = 1.0,
        utterance_reduction: str = "sum",
        ema_decay: float = 0.9998,
        ema_end_decay: float = 0.99999,
        ema_updates: int = 100000,
        ema_updates_before: int = 0,
        mlp_ratio: float = 4.0,
        decoder_width: int | None = None,
        target_layers: int | None = None,
    ):
        super().__init__()
        if utterance_reduction not in REDUCTIONS:
            raise AsdError(
                f"model eat: utterance_reduction {utterance_reduction!r}: use one of: {', '.join(REDUCTIONS)}"
            )
        self.shape = (frames, bands)
        self.grid = (frames // PATCH, bands // PATCH)
        self.clones = clones
        self.mask_ratio = mask_ratio
        self.utterance_weight = utterance_weight
        self.utterance_reduction = utterance_reduction
        self.ema = (ema_decay, ema_end_decay, ema_updates)
        self.ema_updates_before = ema_updates_before
        self.target_layers = target_layers or depth
        self.encoder = EatEncoder(*self.grid, width, depth, heads, mlp_ratio=mlp_ratio)
        self.decoder = EatDecoder(
            self.grid[1], width, decoder_width or width, decoder_depth, decoder_kernel, decoder_groups
        )
        self.teacher = deepcopy(self.encoder).requires_grad_(False)

    def start_from_public(self, path: Path) -> None:
        """Load a published checkpoint, which must hold the encoder.

        If it holds no decoder, the decoder keeps its random weights. If it holds no teacher, the teacher starts as a
        copy of the student.
        """
        weights = read_eat(path)
        self.encoder.load(weights, str(path))
        decoder = {name: tensor for name, tensor in weights.items() if name.startswith("decoder.")}
        if decoder:
            load_exactly(self.decoder, decoder, str(path), "decoder.")
        else:
            _log.warning("%s: has no decoder: it starts from random weights", path)
        if any(name.startswith("teacher.") for name in weights):
            self.teacher.load(weights, str(path), "teacher.")
        else:
            _log.warning("%s: has no teacher: it starts as a copy of the student", path)
            self.teacher.load_state_dict(self.encoder.state_dict())

    @property
    def divisible(self) -> bool:
        """Whether the loss is a mean over clips (asdlib.training.micro_batches)."""
        return self.utterance_reduction == "mean"

    @staticmethod
    def refuse(clips: Clips, frames: int = 1024, bands: int = 128, **_: object) -> None:
        """Raise AsdError for spectrograms of another shape."""
        refuse_shape(clips, (frames, bands))

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips without labels."""
        refuse_shape(clips, self.shape)
        return WholeClips(clips)

    def loss(self, batch: Batch) -> Tensor:
        """Return the frame loss plus the weighted utterance loss, for random masks and noise."""
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the loss, `frame` and the weighted `utterance`, for random masks and noise."""
        masks = len(batch.features) * self.clones
        device = batch.features.device
        visible = send(visible_blocks(masks, *self.grid, self.mask_ratio), device)
        noise = NOISE * torch.randn(masks, math.prod(self.grid), self.encoder.extra_tokens.shape[2], device=device)
        frame, utterance = self.losses(batch.features, visible, noise)
        if self.utterance_reduction == "mean":
            utterance = utterance / masks
        elif self.training and torch.distributed.is_available() and torch.distributed.is_initialized():
            # Each process has the sum over its part of the batch, and their losses are averaged. Validation batches are
            # not divided.
            utterance = utterance * torch.distributed.get_world_size()
        return {"frame": frame, "utterance": self.utterance_weight * utterance}

    def losses(self, spectrograms: Tensor, visible: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frame loss, a mean over masked patches, and the utterance loss, a sum over clips and clones.

        `visible` (B · clones, kept) are the student's patches, and `noise` (B · clones, patches, width) replaces the
        others; the clones of a clip are adjacent. Both losses are squared errors summed over channels and divided by
        √width.
        """
        tokens = self.student(spectrograms, visible)
        prediction = self.decoder(place_tokens(noise.to(tokens.dtype), visible, tokens[:, 1:]))
        targets = self.targets(spectrograms).repeat_interleave(self.clones, dim=0)
        hidden = removed_indices(visible, targets.shape[1])
        scale = math.sqrt(targets.shape[2])
        frame = take_tokens(prediction.float() - targets, hidden).square().sum() / scale / hidden.numel()
        utterance = (tokens[:, 0].float() - targets.mean(1)).square().sum() / scale
        return frame, utterance

    def student(self, spectrograms: Tensor, visible: Tensor) -> Tensor:
        """Return the tokens of each clone's visible patches, utterance token first, (B · clones, 1 + kept, width)."""
        patches = self.encoder.patches(spectrograms).repeat_interleave(self.clones, dim=0)
        return self.encoder.encode(take_tokens(patches, visible))

    @torch.no_grad()
    def targets(self, spectrograms: Tensor) -> Tensor:
        """Return the teacher's outputs for the whole clips, (B, patches, width), float32.

        These are the MLP outputs of the last `target_layers` blocks, normalised over a clip's patches, averaged and
        normalised over channels.
        """
        outputs = self.teacher.mlp_outputs(spectrograms)[-self.target_layers :]
        normalised = [functional.instance_norm(output.float().transpose(1, 2)) for output in outputs]
        mean = (sum(normalised) / len(normalised)).transpose(1, 2)
        return functional.layer_norm(mean, mean.shape[2:])

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Update the teacher, the moving average of the student."""
        decay = ema_decay(self.ema_updates_before + step + 1, *self.ema)
        pairs = zip(self.teacher.parameters(), self.encoder.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1 - decay)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the student's utterance token, `cls`, and the mean of its patches, `mean`, (B, width) each."""
        tokens = self.encoder(batch.features)
        return {"cls": tokens[:, 0], "mean": tokens[:, 1:].mean(1)}


def ema_decay(update: int, start: float, end: float, updates: int) -> float:
    """Return the decay of the moving average: from `start` linearly to `end` at update `updates`, then constant."""
    return end if update >= updates else end - (end - start) * (1 - update / updates)


def refuse_shape(clips: Clips, shape: tuple[int, int]) -> None:
    """Raise AsdError unless the spectrograms have the (frames, bands) that the network was built for."""
    found = tuple(clips.features.shape[1:])
    if found != shape:
        sizes = [" × ".join(map(str, size)) for size in (found, shape)]
        raise AsdError(f"model: spectrograms are {sizes[0]}, not {sizes[1]}: set rows and n_mels of the frontend")
