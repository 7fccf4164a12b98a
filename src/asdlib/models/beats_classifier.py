"""BEATs tells compound labels apart: phases I and II of system4's BEATs branch (§2.2).

The whole network learns in phase I. In phase II its encoder is frozen and has low-rank adapters on its query and key
projections. The tokens are pooled by attention (eq. 4).
"""

from pathlib import Path

from torch import Tensor

from asdlib.examples.clips import Batch
from asdlib.layers.adapters import adapt, load_part
from asdlib.layers.encoders.beats import Beats
from asdlib.layers.pooling import AttentivePooling
from asdlib.models.label_classifier import LabelClassifier
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.published.beats import read_beats
from asdlib.weights.published.files import check_keys


class BeatsClassifier(LabelClassifier):
    """Log-mel (B, frames, 128) of 16-bit samples, not normalised → tokens' weighted mean (B, width) → labels.

    `attention` is the width of the hidden layer that weighs the tokens. What stands behind the encoder always learns;
    the encoder does unless it is `frozen`, and then its adapters of `lora_rank`, if it has any (0: none).
    """

    def __init__(
        self,
        frozen: bool,
        lora_rank: int = 0,
        attention: int = 128,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch_width: int = 512,
        gradient_decay: float = 1.0,
    ):
        super().__init__(width)
        self.sizes = {"width": width, "depth": depth, "heads": heads, "patch_width": patch_width}
        self.sizes["gradient_decay"] = gradient_decay
        self.frozen = frozen
        self.lora_rank = lora_rank
        self.encoder = adapt(Beats(**self.sizes), frozen, lora_rank)
        self.pooling = AttentivePooling(width, attention)

    def start_from_public(self, path: Path) -> None:
        """Start from the public encoder."""
        weights = read_beats(path)
        own = {name: tensor.shape for name, tensor in Beats(**self.sizes).state_dict().items()}
        check_keys(str(path), weights, own)  # every name that there is, too
        self._take_encoder(weights, "", str(path))

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Start from another classifier's encoder and pooling, and its head's rows for the labels that both know."""
        source = f"init: {checkpoint.recipe['name']}"
        self._take_encoder(checkpoint.weights, "encoder.", source)
        load_part(self.pooling, checkpoint.weights, "pooling.", source)
        self.take_head(checkpoint.weights, checkpoint.facts["classes"])

    def embedding(self, batch: Batch) -> Tensor:
        """Return the weighted mean of the tokens that are no padding, (B, width)."""
        return self.pooling(*self.encoder(batch.features, batch.frames))

    def _take_encoder(self, weights: dict[str, Tensor], prefix: str, source: str) -> None:
        plain = Beats(**self.sizes)  # adapters go on when the weights below them are there
        load_part(plain, weights, prefix, source)
        self.encoder = adapt(plain, self.frozen, self.lora_rank)
