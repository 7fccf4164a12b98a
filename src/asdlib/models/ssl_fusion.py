"""BEATs and AudioMAE as one model: system4's feature-level fusions (§2.3.2).

Both encoders have the weights of phase I, are frozen, and have low-rank adapters on their query and key projections.
Their tokens are either concatenated in time and pooled by attention (eq. 5 and 6), or averaged per encoder and the
means concatenated (eq. 7).
"""

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers.adapters import adapt, adapted, load_part
from asdlib.layers.encoders.audiomae import NORM_EPS, AudioMae, normalised
from asdlib.layers.encoders.beats import Beats
from asdlib.layers.pooling import AttentivePooling
from asdlib.models.label_classifier import LabelClassifier
from asdlib.weights.checkpoints import Checkpoint

POOLINGS = ("attention", "mean")


class SslFusion(LabelClassifier):
    """Log-mel of BEATs and of AudioMAE (B, frames, 2, 128), not normalised → one embedding → labels.

    `pooling` is `attention`, with a hidden layer of width `attention`, or `mean`. The tokens of AudioMAE pass through
    the norm of its classifier, so that the tokens of both encoders have the same scale.
    """

    def __init__(
        self,
        pooling: str,
        lora_rank: int,
        labels: str = "attributes",
        attention: int = 128,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch_width: int = 512,
    ):
        if pooling not in POOLINGS:
            raise AsdError(f"model ssl_fusion: pooling {pooling!r}: use one of: {', '.join(POOLINGS)}")
        super().__init__(width if pooling == "attention" else 2 * width, labels)
        self.sizes = {"width": width, "depth": depth, "heads": heads}
        self.patch_width = patch_width
        self.lora_rank = lora_rank
        self.beats = adapt(Beats(**self.sizes, patch_width=patch_width), True, lora_rank)
        self.audiomae = adapt(AudioMae(**self.sizes), True, lora_rank)
        self.fc_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.pooling = AttentivePooling(width, attention) if pooling == "attention" else None
        self._taken: list[str] = []

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Load one branch's encoder from phase I; called once for each branch."""
        source, kind, weights = f"init: {checkpoint.recipe['name']}", checkpoint.recipe["kind"], checkpoint.weights
        if kind == "beats_classifier":
            plain = Beats(**self.sizes, patch_width=self.patch_width)
            self.beats = adapted(plain, weights, "encoder.", source, True, self.lora_rank)
        elif kind == "audiomae_classifier":
            plain = AudioMae(**self.sizes)
            self.audiomae = adapted(plain, weights, "encoder.", source, True, self.lora_rank)
            load_part(self.fc_norm, weights, "fc_norm.", source)
        else:
            raise AsdError(f"{source}: is not a beats_classifier or audiomae_classifier: name phase I of both branches")
        self._taken.append(kind)

    def examples(self, clips: Clips) -> WholeClips:
        """Return whole clips with the numbers of their labels."""
        if len(set(self._taken)) == 1:
            raise AsdError(
                f"init: names only a {self._taken[0]}: name phase I of both branches, or null (from scratch)"
            )
        return super().examples(clips)

    def embedding(self, batch: Batch) -> Tensor:
        """Return the pooled tokens of both encoders, (B, width) or (B, 2 · width)."""
        ours, padding = self.beats(batch.features[:, :, 0], batch.frames)  # (B, 496 of 10 s, width)
        spectrograms = normalised(batch.features[:, :, 1], batch.frames)
        theirs = self.fc_norm(self.audiomae(spectrograms)[:, 1:])  # (B, 512, width)
        if self.pooling is None:
            return torch.cat([mean_of_real(ours, padding), theirs.mean(1)], dim=1)
        nothing = torch.zeros(theirs.shape[:2], dtype=torch.bool, device=padding.device)
        return self.pooling(torch.cat([ours, theirs], dim=1), torch.cat([padding, nothing], dim=1))


def mean_of_real(tokens: Tensor, padding: Tensor) -> Tensor:
    """Return the mean (B, width) of the tokens (B, tokens, width) that are not `padding` (B, tokens)."""
    real = ~padding[:, :, None]
    return (tokens * real).sum(1) / real.sum(1)
