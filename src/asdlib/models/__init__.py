"""The models a recipe can name by its `kind`.

A model is an `nn.Module` with
- `examples(clips) -> Examples`: what one training example is (`len`, `batch(indices) -> Batch`),
- `loss(batch) -> Tensor`: a scalar to minimise,
- `embed(batch) -> dict[str, Tensor]`: named representations of whole clips, (B, dimensions) each,
- optionally `finish(training, validation, losses) -> dict[str, Tensor]`: one pass in evaluation mode after the last
  epoch; what it returns reaches the backends as `calibration`.
"""

from asdlib.models.audiomae_adaptation import AudioMaeAdaptation
from asdlib.models.audiomae_classifier import AudioMaeClassifier
from asdlib.models.beats_classifier import BeatsClassifier
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.models.ssl_fusion import SslFusion

MODELS: dict[str, type] = {
    "audiomae_adaptation": AudioMaeAdaptation,
    "audiomae_classifier": AudioMaeClassifier,
    "beats_classifier": BeatsClassifier,
    "dense_autoencoder": DenseAutoencoder,
    "ssl_fusion": SslFusion,
}
