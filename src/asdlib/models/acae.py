"""The attention and convolutional network enhanced autoencoder, ACAE (report 5, §2.2).

The encoder consists of convolutions and pooling, followed by self-attention over the remaining time and frequency
steps; the decoder mirrors it. The network is trained to reconstruct mixed clips and to classify them. docs/system5.md
lists what the report leaves open.
"""

import logging
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.classes import class_names, class_numbers
from asdlib.examples.clip_statistics import band_scaling, training_statistics
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips
from asdlib.losses.noisy_arcmix import NoisyArcMix

_log = logging.getLogger(__name__)
LABELS = {
    "machine": {"domain": False, "attributes": False},
    "attributes": {"domain": False, "attributes": True},
    "attributes_and_domain": {"domain": True, "attributes": True},
}


class Acae(nn.Module):
    """Log spectra (B, windows, bins) → `latent` (B, latent).

    `channels` and `pools` (time, frequency) describe the stages of the encoder. `class_weight` is the weight of the
    Noisy-ArcMix loss, with `scale` and `margin`, relative to the mean squared error. `mixup_alpha` is the parameter of
    the Beta distribution from which the mixing share of a batch is drawn. `labels` names what tells classes apart
    besides the machine and section: machine (nothing), attributes, or attributes_and_domain.
    """

    def __init__(
        self,
        channels: list[int],
        pools: list[list[int]],
        heads: int = 4,
        hidden: int = 256,
        latent: int = 128,
        class_weight: float = 0.1,
        scale: float = 30.0,
        margin: float = 0.7,
        mixup_alpha: float = 0.5,
        labels: str = "machine",
    ):
        super().__init__()
        if labels not in LABELS:
            raise AsdError(f"model acae: labels {labels!r}: use one of: {', '.join(LABELS)}")
        self.pools = pools
        self.class_weight = class_weight
        self.scale = scale
        self.margin = margin
        self.mixup_alpha = mixup_alpha
        self.labels = labels
        self.encoder = nn.Sequential(*_encoder([1, *channels], pools))
        self.attention = AttentionBlock(channels[-1], heads, hidden)
        self.to_latent = nn.Linear(channels[-1], latent)
        self.decoder = nn.Sequential(*_decoder([*channels[::-1], 1], pools[::-1]))

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the classes, the machines, the clips' size, and the mean and deviation of every bin per machine."""
        machines = np.array(clips.column("machine"))
        statistics, frames = training_statistics(clips), clips.frames
        names = np.unique(machines).tolist()
        rows = [torch.from_numpy(np.flatnonzero(machines == name)) for name in names]
        scaling = [band_scaling(statistics[own], frames[own]) for own in rows]
        classes = sorted(set(class_names(clips, section=True, **LABELS[self.labels])))
        if len(classes) == 1:
            _log.warning(
                "model acae: labels %s: all clips are of one class, and the class loss learns nothing", self.labels
            )
        return {
            "classes": classes,
            "windows": clips.features.shape[1],
            "machines": names,
            "mean": [one["mean"] for one in scaling],
            "std": [one["std"] for one in scaling],
        }

    def grow(self, facts: dict[str, Any]) -> None:
        """Build what depends on the clips' size and classes: positions, standardisation, class centres."""
        self.classes: list[str] = facts["classes"]
        self.machines: list[str] = facts["machines"]
        self.known: int | None = None  # the machine whose clips are embedded
        self.register_buffer("mean", torch.tensor(facts["mean"]))  # (machines, bins)
        self.register_buffer("std", torch.tensor(facts["std"]))
        time, frequency = (prod(factors) for factors in zip(*self.pools, strict=True))
        bins = self.mean.shape[1]
        if bins % frequency:
            raise AsdError(
                f"model acae: {bins} bins cannot be pooled by {frequency}: change the frontend's n_fft, or pools"
            )
        self.windows = -(-facts["windows"] // time) * time  # padded to a multiple of the pooling
        self.maps = (self.windows // time, bins // frequency)
        width, latent = self.to_latent.in_features, self.to_latent.out_features
        self.position = nn.Parameter(0.02 * torch.randn(prod(self.maps), width))
        self.class_loss = NoisyArcMix(latent, len(self.classes), self.scale, self.margin)

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips, with the numbers of their class and machine as labels, (N, 2)."""
        classes = class_numbers(class_names(clips, section=True, **LABELS[self.labels]), self.classes)
        return WholeClips(clips, torch.stack([classes, class_numbers(clips.column("machine"), self.machines)], dim=1))

    def loss(self, batch: Batch) -> Tensor:
        """Return the sum of the terms."""
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction error of the mixed clips and the weighted Noisy-ArcMix loss."""
        classes, machines = batch.labels.unbind(1)
        share, order = self._draw(len(classes))
        spectra = self.standardised(batch, self.mean[machines], self.std[machines])
        spectra = share * spectra + (1 - share) * spectra[order]
        tokens = self.encode(spectra)
        error = functional.mse_loss(self.decode(tokens), spectra)
        class_error = self.class_loss(self.latent(tokens), classes, classes[order], share)
        return {"reconstruction": error, "classes": self.class_weight * class_error}

    def for_machine(self, machine: str) -> None:
        """Select the machine whose clips are embedded next: each machine has its own mean and deviation."""
        if machine not in self.machines:
            raise AsdError(f"model acae: was not trained on {machine}: use one of: {', '.join(self.machines)}")
        self.known = self.machines.index(machine)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `latent` (B, latent), in which the sphere of normal clips is fitted."""
        if self.known is None and len(self.machines) > 1:
            _log.warning("the machine of these clips is not known: using the mean statistics of all machines")
        own = slice(None) if self.known is None else [self.known]
        spectra = self.standardised(batch, self.mean[own].mean(0, True), self.std[own].mean(0, True))
        return {"latent": self.latent(self.encode(spectra))}

    def standardised(self, batch: Batch, mean: Tensor, std: Tensor) -> Tensor:
        """Return standardised spectra (B, windows, bins); the last window of a short clip is repeated.

        `mean` and `std` are (B, bins) or (1, bins).
        """
        last = (batch.frames - 1).clamp_min(0)[:, None]
        windows = torch.arange(self.windows, device=last.device).minimum(last)  # (B, windows)
        rows = torch.arange(len(windows), device=last.device)[:, None]
        return (batch.features[rows, windows] - mean[:, None]) / std[:, None]

    def encode(self, spectra: Tensor) -> Tensor:
        """Return the tokens (B, tokens, channels) of standardised spectra after self-attention, time first."""
        maps = self.encoder(spectra[:, None])  # (B, channels, time, frequency)
        return self.attention(maps.flatten(2).transpose(1, 2) + self.position)

    def latent(self, tokens: Tensor) -> Tensor:
        """Return one vector per clip, (B, latent)."""
        return self.to_latent(tokens.mean(1))

    def decode(self, tokens: Tensor) -> Tensor:
        """Return the spectra (B, windows, bins) reconstructed from tokens."""
        return self.decoder(tokens.transpose(1, 2).unflatten(2, self.maps))[:, 0]

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw a mixing share for the batch and the partner of each clip; in evaluation mode, nothing is mixed."""
        device = self.mean.device
        if not self.training:
            return torch.ones((), device=device), torch.arange(count, device=device)
        alpha = torch.full((), self.mixup_alpha, device=device)
        # Its arguments are not validated, because the host would wait for the device to look at them.
        share = torch.distributions.Beta(alpha, alpha, validate_args=False).sample()
        return share, torch.randperm(count, device=device)


class AttentionBlock(nn.Module):
    """Self-attention and a two-layer network on tokens (B, tokens, width), both pre-normalised and residual."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.network = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the transformed tokens."""
        normalised = self.attention_norm(tokens)
        tokens = tokens + self.attention(normalised, normalised, normalised, need_weights=False)[0]
        return tokens + self.network(tokens)


def _encoder(channels: list[int], pools: list[list[int]]) -> Iterator[nn.Module]:
    for (inputs, outputs), pool in zip(pairwise(channels), pools, strict=True):
        yield nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        yield nn.BatchNorm2d(outputs)
        yield nn.ReLU()
        yield nn.MaxPool2d(tuple(pool))


def _decoder(channels: list[int], pools: list[list[int]]) -> Iterator[nn.Module]:
    stages = list(zip(pairwise(channels), pools, strict=True))
    for number, ((inputs, outputs), pool) in enumerate(stages):
        yield nn.Upsample(scale_factor=tuple(pool))
        if number == len(stages) - 1:
            yield nn.Conv2d(inputs, outputs, 3, padding=1)  # no ReLU: spectra can be negative
            return
        yield nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        yield nn.BatchNorm2d(outputs)
        yield nn.ReLU()
