"""The base class of autoencoders of spectrogram windows."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.examples.clip_statistics import band_scaling, training_statistics
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.frame_windows import RandomWindows, window_frames, window_starts
from asdlib.models.condition_rules import ConditionInference, survey_rules
from asdlib.models.conditions import Clustering, name_conditions


class WindowAutoencoder(nn.Module):
    """Reconstructs windows (B, frames, bands) of clips, given the clips' condition unless `conditional` is false.

    Subclasses implement `build(bands)`, which makes the layers, and `forward(windows, condition)`. `frames` is the
    length of a window, `hop` the distance between windows of a clip that is scored, and `condition` the width of the
    vector that represents the condition. With `condition_decoder`, the decoder gets this vector as well as the encoder.
    `clusters` and `components` are for clustering machines without attributes.
    """

    def __init__(
        self,
        frames: int,
        hop: int,
        conditional: bool,
        condition: int,
        condition_decoder: bool,
        clusters: int,
        components: int,
    ):
        super().__init__()
        self.frames = frames
        self.hop = hop
        self.conditional = conditional
        self.width = condition if conditional else 0
        self.decoder_width = self.width if condition_decoder else 0
        self.clustering = Clustering(clusters, components)

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the scaling of the bands, the conditions, and the rules that infer them, from the training clips."""
        statistics = training_statistics(clips)
        facts: dict[str, Any] = {"bands": band_scaling(statistics, clips.frames)}
        if self.conditional:
            named = name_conditions(clips, statistics, self.clustering)
            facts["conditions"] = {"names": named.names, "rules": survey_rules(named, statistics, self.clustering)}
        return facts

    def grow(self, facts: dict[str, Any]) -> None:
        """Build the layers for the number of bands and conditions."""
        for name, values in facts["bands"].items():
            self.register_buffer(name, torch.tensor(values), persistent=False)
        if self.conditional:
            self.names = facts["conditions"]["names"]
            self.inference = ConditionInference(facts["conditions"]["rules"])
            self.condition = nn.Linear(len(self.names), self.width)
        self.build(len(self.mean))

    def examples(self, clips: Clips) -> RandomWindows:
        """Return windows at random positions, with the conditions of their clips as labels."""
        if not self.conditional:
            return RandomWindows(clips, self.frames)
        named = name_conditions(clips, training_statistics(clips), self.clustering)
        return RandomWindows(clips, self.frames, named.labels)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error of the scaled windows."""
        windows = self.scale(batch.features)
        return functional.mse_loss(self(windows, self.describe(batch.labels)), windows)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `error`, the mean squared error of every band over all windows of a clip, (B, bands)."""
        found = self.inference(batch.features, batch.frames, batch.origins) if self.conditional else None
        errors = []
        for row, frames in enumerate(batch.frames.tolist()):
            inside = window_frames(window_starts(frames, self.frames, self.hop), frames, self.frames)
            windows = self.scale(batch.features[row, inside.to(batch.features.device)])
            condition = self.describe(None if found is None else found[row].expand(len(windows)))
            errors.append((self(windows, condition) - windows).square().mean((0, 1)))
        return {"error": torch.stack(errors)}

    def scale(self, features: Tensor) -> Tensor:
        """Return features, standardised to mean 0 and deviation 1 per band over the training clips."""
        return (features - self.mean) / self.std

    def describe(self, labels: Tensor | None) -> Tensor | None:
        """Return conditions (B,) as vectors (B, width), or None if the network is not conditional."""
        if not self.conditional:
            return None
        return self.condition(functional.one_hot(labels, len(self.names)).float())

    def with_condition(self, latent: Tensor, condition: Tensor | None) -> Tensor:
        """Return the decoder's input, (B, latent + decoder_width), from latent vectors and conditions."""
        return latent if condition is None or not self.decoder_width else torch.cat([latent, condition], dim=1)
