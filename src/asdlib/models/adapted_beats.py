"""BEATs, adapted to the machines by a classification of their normal clips.

The public weights stay as they are; adapters on the projections of attention learn, and a head that is used in the
training alone. What is scored are the frequency bands of the adapted encoder, pooled over time as those of the frozen
one are. docs/encoders.md says where the settings come from.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.classes import class_numbers
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.pseudo_labels import labelled_classes
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers import filter_bank
from asdlib.layers.adapters import adapt
from asdlib.layers.encoders.beats import PATCH
from asdlib.layers.pooling import ChannelStatisticsPooling
from asdlib.layers.spectra import cropped
from asdlib.layers.time_pooling import TimePooling
from asdlib.losses.sub_cluster_adacos import SubClusterAdaCos
from asdlib.models.frozen_encoder import BANDS, BeatsGrid, of_whole_clips

RATE = 16000  # Hz, of BEATs' training data
UNITS = 32768.0  # BEATs hears 16-bit integers
LEAST = filter_bank.frame_samples(RATE)


class AdaptedBeats(nn.Module):
    """Waveforms (B, samples) → `rows` (B, 8, width), one vector per frequency band, of whole clips.

    In the training, a clip is `crop` samples from a random place; a shorter one is repeated. With the chance `mixup` it
    is mixed with another one of the batch. The classes are those of `labelled_classes`. `lora_rank` and `lora_scale`
    are those of the adapters on query, key and value, `dropout` and `layer_drop` those of the encoder. `attention` is
    the width of the layer that weights tokens, `dimensions` the length of the vector that is classified,
    `sub_clusters` the number of centres of a class. `row_pooling`, `row_gamma` and `row_power` are those of the scored
    vectors, as in FrozenEncoder.
    """

    takes_labels = True

    def __init__(
        self,
        lora_rank: int = 64,
        lora_scale: float = 0.125,
        dropout: float = 0.1,
        layer_drop: float = 0.05,
        crop: int = 160000,
        mixup: float = 0.5,
        attention: int = 48,
        dimensions: int = 256,
        sub_clusters: int = 16,
        row_pooling: str = "rdp",
        row_gamma: float = 4.0,
        row_power: float = 3.0,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch_width: int = 512,
    ):
        super().__init__()
        if lora_rank < 1 or filter_bank.whole_frames(crop, RATE) < PATCH:
            raise AsdError(
                f"model adapted_beats: lora_rank {lora_rank}, crop {crop}: use a rank of 1 and 2800 samples, or more"
            )
        self.adapters = {"rank": lora_rank, "scale": lora_scale, "projections": ("q_proj", "k_proj", "v_proj")}
        self.sizes = {"width": width, "depth": depth, "heads": heads, "patch_width": patch_width}
        self.drops = {"dropout": dropout, "layer_drop": layer_drop}
        self.crop = crop
        self.mixup = mixup
        self.dimensions = dimensions
        self.sub_clusters = sub_clusters
        self.row_pooling = TimePooling(row_pooling, row_gamma, row_power)
        self.log_mel = filter_bank.FilterBank(16 * BANDS, RATE)
        self.encoder = self._adapted(self._plain())
        self.pooling = ChannelStatisticsPooling(width, attention)
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * width), nn.Linear(2 * width, width), nn.BatchNorm1d(width), nn.Linear(width, dimensions)
        )

    @staticmethod
    def least_frames(**_: object) -> int:
        """Return the samples of one frame of the filter bank."""
        return LEAST

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the sorted classes of the training clips; raise AsdError if there is only one."""
        self.refuse(clips)
        return {"classes": sorted(set(labelled_classes(clips)))}

    @staticmethod
    def refuse(clips: Clips, **_: object) -> None:
        """Raise AsdError if all training clips are of one class."""
        first, *others = sorted(set(labelled_classes(clips)))
        if not others:
            raise AsdError(
                f"model adapted_beats: all training clips are of one class ({first}): add machines, domains or "
                "attributes"
            )

    def grow(self, facts: dict[str, Any]) -> None:
        """Build the loss for the classes."""
        self.classes = facts["classes"]
        self.centres = SubClusterAdaCos(
            self.dimensions, len(self.classes), self.sub_clusters, trainable=True, adaptive=False
        )

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder; the adapters change nothing of it yet."""
        plain = self._plain()
        plain.start_from_public(path)
        self.encoder = self._adapted(plain)

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips with the numbers of their classes."""
        return WholeClips(clips, class_numbers(labelled_classes(clips), self.classes))

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of the classes; in evaluation mode of the starts of clips, unmixed."""
        labels = functional.one_hot(batch.labels, len(self.classes)).float()
        waveforms = cropped(batch.features, batch.frames, self.crop, at_random=self.training)
        if self.training:
            waveforms, labels = self._mixed(waveforms, labels)
        tokens = self.encoder(self.log_mel(UNITS * waveforms)).flatten(1, 2)
        return self.centres(self.head(self.pooling(tokens)), labels)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `rows` (B, 8, width) of whole clips."""
        frames = [filter_bank.whole_frames(samples, RATE) for samples in batch.frames.tolist()]
        return of_whole_clips(self.log_mel(UNITS * batch.features), frames, self._rows)

    def _rows(self, spectrogram: Tensor) -> dict[str, Tensor]:
        return {"rows": self.row_pooling(self.encoder(spectrogram).transpose(1, 2))}

    def _mixed(self, waveforms: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix each clip, with the chance `mixup`, with its partner in a permutation of the batch."""
        draw = torch.rand(2, len(labels), device=labels.device)
        share = torch.where(draw[0] < self.mixup, draw[1], 1.0)[:, None]
        partner = torch.randperm(len(labels), device=labels.device)
        return tuple(share * own + (1 - share) * own[partner] for own in (waveforms, labels))

    def _plain(self) -> BeatsGrid:
        return BeatsGrid(**self.sizes, **self.drops)

    def _adapted(self, plain: BeatsGrid) -> BeatsGrid:
        return adapt(plain, frozen=True, **self.adapters)
