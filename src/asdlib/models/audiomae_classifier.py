"""AudioMAE as a classifier of compound labels: phases I and II of system4's AudioMAE branch (§2.1).

The head is that of AudioMAE's own fine-tuning: the mean of the 512 patch tokens, a norm and a linear layer. In phase I
the whole network is trained. In phase II the encoder is frozen and has low-rank adapters on its query and key
projections (eq. 3).
"""

from pathlib import Path

from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.layers.adapters import adapt, adapted, load_part
from asdlib.layers.encoders.audiomae import NORM_EPS, AudioMae, normalised
from asdlib.models.label_classifier import LabelClassifier
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.published.audiomae import read_audiomae


class AudioMaeClassifier(LabelClassifier):
    """Log-mel (B, frames, 128), not normalised → the normalised mean of its tokens (B, width) → labels.

    The layers after the encoder are always trained. The encoder is trained unless it is `frozen`; a frozen encoder can
    have trainable adapters of rank `lora_rank` (0: none). Only the reference outputs set `mlp_ratio`.
    """

    def __init__(
        self,
        frozen: bool,
        lora_rank: int = 0,
        labels: str = "attributes",
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_ratio: float = 4.0,
    ):
        super().__init__(width, labels)
        self.sizes = {"width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}
        self.frozen = frozen
        self.lora_rank = lora_rank
        self.encoder = adapt(AudioMae(**self.sizes), frozen, lora_rank)
        self.fc_norm = nn.LayerNorm(width, eps=NORM_EPS)

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder and, if it was fine-tuned, the norm after it."""
        weights = read_audiomae(path)
        self._take_encoder(weights, "", str(path))
        if "fc_norm.weight" in weights:
            load_part(self.fc_norm, weights, "fc_norm.", str(path))

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Load the encoder of the adapted autoencoder, or a classifier with the rows of its head for shared labels."""
        source = f"init: {checkpoint.recipe['name']}"
        self._take_encoder(checkpoint.weights, "encoder.", source)
        if checkpoint.recipe["kind"] == "audiomae_classifier":
            load_part(self.fc_norm, checkpoint.weights, "fc_norm.", source)
            self.take_head(checkpoint.weights, checkpoint.facts["classes"])

    def embedding(self, batch: Batch) -> Tensor:
        """Return the normalised mean over time and frequency, (B, width)."""
        return self.fc_norm(batch.features if batch.features.dim() == 2 else self._mean_token(batch))

    def frozen_part(self, batch: Batch) -> Tensor | None:
        """Return the mean tokens (B, width), which `embedding` accepts as features; None if they are trained."""
        return None if any(weight.requires_grad for weight in self.encoder.parameters()) else self._mean_token(batch)

    def _mean_token(self, batch: Batch) -> Tensor:
        return self.encoder(normalised(batch.features, batch.frames))[:, 1:].mean(1)  # of 512 tokens

    def _take_encoder(self, weights: dict[str, Tensor], prefix: str, source: str) -> None:
        self.encoder = adapted(AudioMae(**self.sizes), weights, prefix, source, self.frozen, self.lora_rank)
