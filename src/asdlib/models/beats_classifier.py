"""BEATs as a classifier of compound labels: phases I and II of system4's BEATs branch (§2.2).

In phase I the whole network is trained. In phase II the encoder is frozen and has low-rank adapters on its query and
key projections. The tokens are pooled by attention (eq. 4).
"""

from pathlib import Path

from torch import Tensor

from asdlib.examples.clips import Batch
from asdlib.layers.adapters import adapt, adapted, load_part
from asdlib.layers.encoders.beats import Beats
from asdlib.layers.pooling import AttentivePooling
from asdlib.models.label_classifier import LabelClassifier
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.published.beats import read_beats
from asdlib.weights.published.files import check_keys


class BeatsClassifier(LabelClassifier):
    """Log-mel (B, frames, 128) of 16-bit samples, not normalised → weighted mean of tokens (B, width) → labels.

    `attention` is the width of the hidden layer that computes the weights of the tokens. The layers after the encoder
    are always trained. The encoder is trained unless it is `frozen`; a frozen encoder can have trainable adapters of
    rank `lora_rank` (0: none).
    """

    def __init__(
        self,
        frozen: bool,
        lora_rank: int = 0,
        labels: str = "attributes",
        attention: int = 128,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch_width: int = 512,
        gradient_decay: float = 1.0,
    ):
        super().__init__(width, labels)
        self.sizes = {"width": width, "depth": depth, "heads": heads, "patch_width": patch_width}
        self.sizes["gradient_decay"] = gradient_decay
        self.frozen = frozen
        self.lora_rank = lora_rank
        self.encoder = adapt(Beats(**self.sizes), frozen, lora_rank)
        self.pooling = AttentivePooling(width, attention)

    def start_from_public(self, path: Path) -> None:
        """Load the public encoder."""
        weights = read_beats(path)
        own = {name: tensor.shape for name, tensor in Beats(**self.sizes).state_dict().items()}
        check_keys(str(path), weights, own)  # refuses names that the encoder does not have
        self._take_encoder(weights, "", str(path))

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Load the encoder and pooling of another classifier, and the rows of its head for shared labels."""
        source = f"init: {checkpoint.recipe['name']}"
        self._take_encoder(checkpoint.weights, "encoder.", source)
        load_part(self.pooling, checkpoint.weights, "pooling.", source)
        self.take_head(checkpoint.weights, checkpoint.facts["classes"])

    def embedding(self, batch: Batch) -> Tensor:
        """Return the weighted mean of the tokens that are not padding, (B, width)."""
        return self.pooling(*self.encoder(batch.features, batch.frames))

    def _take_encoder(self, weights: dict[str, Tensor], prefix: str, source: str) -> None:
        self.encoder = adapted(Beats(**self.sizes), weights, prefix, source, self.frozen, self.lora_rank)
