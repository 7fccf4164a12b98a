"""The models a recipe can name by its `kind`.

A model is an `nn.Module` with
- `examples(clips) -> Examples`: what one training example is (`len`, `batch(indices) -> Batch`),
- `loss(batch) -> Tensor`: a scalar to minimise,
- `embed(batch) -> dict[str, Tensor]`: named representations of whole clips, (B, dimensions) each,
- optionally `finish(training, validation, losses) -> dict[str, Tensor]`: one pass in evaluation mode after the last
  epoch; what it returns reaches the backends as `calibration`.
"""

from asdlib.models.conditional_autoencoder import ConditionalAutoencoder
from asdlib.models.conditional_dense_autoencoder import ConditionalDenseAutoencoder
from asdlib.models.dense_autoencoder import DenseAutoencoder

MODELS: dict[str, type] = {
    "conditional_autoencoder": ConditionalAutoencoder,
    "conditional_dense_autoencoder": ConditionalDenseAutoencoder,
    "dense_autoencoder": DenseAutoencoder,
}
